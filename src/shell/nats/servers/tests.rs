use super::*;
use crate::shell::settings::Secret;

fn servers(urls: &str) -> Servers {
    Servers::new(&NatsSettings { urls: vec![Secret::new(urls)], ..NatsSettings::default() }).unwrap()
}

/// The ports that are aimed at, each attempt failing.
fn aims(servers: &mut Servers, attempts: usize) -> Vec<u16> {
    let aim = |_| {
        let port = servers.aim().map_or(0, |(address, _)| address.server.port);
        servers.failed();
        port
    };
    (0..attempts).map(aim).collect()
}

#[test]
fn servers_are_tried_in_turn_with_those_learnt_of() {
    let mut servers = servers("nats://a:1,tls://me@b:2");
    servers.learn(&["c:3".to_owned(), "a:1".to_owned(), "not a url".to_owned()]);
    assert_eq!(aims(&mut servers, 4), [1, 2, 3, 1]);
    let userinfo = servers.aim().and_then(|(_, userinfo)| userinfo);
    assert_eq!(userinfo.map(|it| it.user), Some(Secret::new("me")));
}

#[test]
fn a_list_without_a_url_is_refused() {
    let settings = NatsSettings { urls: vec![Secret::new(" , ")], ..NatsSettings::default() };
    assert_eq!(Servers::new(&settings).err(), Some(ServerUrlError::Host));
}

#[test]
fn lists_are_read_whatever_is_between_their_commas() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&["a"], &["nats://a:4222"]),
        (&["a, b:1 ,,tls://c"], &["nats://a:4222", "nats://b:1", "tls://c:4222"]),
        (&["nats://u:p@a", "b"], &["nats://a:4222", "nats://b:4222"]),
        (&["[::1]:9"], &["nats://[::1]:9"]),
    ];
    for (lists, expected) in cases {
        let urls = lists.iter().map(|list| Secret::new(*list)).collect();
        let servers = Servers::new(&NatsSettings { urls, ..NatsSettings::default() }).unwrap();
        assert_eq!(servers.urls(), expected, "{lists:?}");
    }
    for list in ["a,http://b", "nats://", "a:x"] {
        let settings = NatsSettings { urls: vec![Secret::new(list)], ..NatsSettings::default() };
        assert!(Servers::new(&settings).is_err(), "{list}");
    }
}

#[test]
fn each_server_is_told_what_its_own_url_says_of_us() {
    let mut servers = servers("nats://a:1,nats://b:pw@b:2,nats://c:pw@c:3");
    let mut users = Vec::new();
    for _ in 0..3 {
        users.extend(servers.aim().and_then(|(_, userinfo)| userinfo).map(|it| it.user));
        servers.failed();
    }
    assert_eq!(users, ["b", "b", "c"].map(Secret::new), "without an own one the first there is");
}

#[test]
fn a_server_that_lets_us_in_is_kept_and_pauses_begin_anew() {
    let mut servers = servers("a:1,b:2");
    servers.failed();
    servers.failed();
    servers.failed();
    assert!(!servers.is_first_attempt());
    assert_eq!(servers.pause(0), 4 * PAUSE_FIRST);
    servers.succeeded();
    assert!(servers.is_first_attempt());
    assert_eq!(servers.aim().map(|(address, _)| address.server.port), Some(2));
    servers.pass_over();
    assert_eq!(servers.aim().map(|(address, _)| address.server.port), Some(1));
    assert!(servers.is_first_attempt(), "to go on to another is no failure");
}

#[test]
fn servers_that_left_the_cluster_are_forgotten() {
    let mut servers = servers("a:1,b:2");
    let learn = |servers: &mut Servers, urls: &[&str]| {
        servers.learn(&urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>());
    };
    learn(&mut servers, &["a:1", "c:3", "d:4"]);
    assert_eq!(aims(&mut servers.clone(), 4), [1, 2, 3, 4]);
    learn(&mut servers, &["b:2", "d:4", "e:5"]);
    assert_eq!(aims(&mut servers.clone(), 4), [1, 2, 4, 5], "those the settings name stay");
    learn(&mut servers, &[]);
    assert_eq!(aims(&mut servers.clone(), 4), [1, 2, 4, 5], "one without a cluster knows of none");
    // The one that is aimed at stays, and so does what comes after it.
    servers.pass_over();
    servers.pass_over();
    learn(&mut servers, &["e:5"]);
    assert_eq!(aims(&mut servers.clone(), 4), [4, 5, 1, 2]);
    servers.pass_over();
    learn(&mut servers, &["e:5"]);
    assert_eq!(aims(&mut servers.clone(), 3), [5, 1, 2]);
}

#[test]
fn what_is_learnt_is_bounded_and_as_encrypted_as_what_was_named() {
    let mut servers = servers("tls://a:1");
    let urls: Vec<String> = (0..1_000).map(|number| format!("b{number}:4222")).collect();
    servers.learn(&urls);
    let known = servers.urls();
    assert_eq!(known.len(), DISCOVERED_MAX);
    assert!(known.iter().all(|url| url.starts_with("tls://")), "{known:?}");
}
