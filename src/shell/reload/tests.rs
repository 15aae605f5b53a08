//! Reloading what is in a folder, over an engine.

use std::path::Path;
use std::sync::Mutex;

use super::*;
use crate::engine::Engine;
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::time::Timestamp;
use crate::shell::for_tests::drive;
use crate::shell::settings::{Auth, SecretSource, Settings};

const GOOD: &str = "groups: [{name: g, rules: [{alert: High, expr: queue_depth, above: 0}]}]";

/// A folder with rules, a configuration that is what the test last said, and a reloader of both.
struct House {
    folder: tempfile::TempDir,
    context: ShellContext,
    reloader: Reloader,
    /// The configuration as the file has it; none where it is refused.
    written: Arc<Mutex<Option<Config>>>,
    applied: Arc<Mutex<Vec<String>>>,
}

impl House {
    fn new(rules: &[(&str, &str)]) -> Self {
        Self::with(Settings::default(), rules)
    }

    fn with(settings: Settings, rules: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in rules {
            write(&folder.path().join("rules").join(name), text);
        }
        let mut config = Config::with_defaults("test");
        config.rules = Some(vec![folder.path().join("rules").display().to_string()]);
        let context = ShellContext::new(settings, config.clone());
        let engine = Engine::new(&config, RuleSet::default(), Timestamp::EPOCH);
        drive(engine, &context.mailbox, Timestamp::EPOCH);
        let (written, applied) = (Arc::new(Mutex::new(Some(config.clone()))), Arc::default());
        let source = ConfigSource {
            path: folder.path().join("signalbox.yaml"),
            default_rules: folder.path().join("default"),
            reread: {
                let written = Arc::clone(&written);
                Box::new(move || Reread { config: written.lock().unwrap().clone(), diagnostics: Vec::new() })
            },
            applied: {
                let applied: Arc<Mutex<Vec<String>>> = Arc::clone(&applied);
                Box::new(move |config| applied.lock().unwrap().push(config.instance.clone()))
            },
        };
        let mut files = RuleFiles::new(paths_of(&config), known_metrics(&config));
        let texts = files.read();
        drop(files.load(texts, &BTreeSet::new()));
        let reloader = Reloader::new(files, Some(source), context.clone());
        Self { folder, context, reloader, written, applied }
    }

    /// Has a change noticed and settle.
    async fn notice(&mut self) {
        while let Some(again) = self.reloader.reload_if_changed(&NOTICED).await {
            tokio::time::sleep_until(again).await;
        }
    }

    fn rules(&self, name: &str) -> PathBuf {
        self.folder.path().join("rules").join(name)
    }

    fn change(&self, change: impl FnOnce(&mut Config)) {
        change(self.written.lock().unwrap().as_mut().unwrap());
    }

    /// The alerts' names that are in force.
    async fn in_force(&self) -> Vec<String> {
        let instant = self.context.mailbox.freeze().await.unwrap();
        let rules = instant.groups().iter().flat_map(|group| &group.rules);
        rules.map(|rule| rule.name.to_string()).collect()
    }

    /// How many reloads were counted, good and bad.
    async fn counted(&self) -> (f64, f64) {
        let scrape = crate::engine::exposition::Scrape {
            format: crate::engine::exposition::negotiate(""),
            names: vec!["signalbox_config_reloads_total".to_owned()],
        };
        let text = self.context.mailbox.freeze().await.unwrap().to_bytes(scrape);
        let text = String::from_utf8(text).unwrap();
        let of = |result: &str| {
            let begin = format!("signalbox_config_reloads_total{{result=\"{result}\"}} ");
            text.lines()
                .find_map(|line| line.strip_prefix(&begin))
                .map_or(0.0, |number| number.parse().unwrap())
        };
        (of("success"), of("failure"))
    }
}

/// Replaces a file whole, as editors do.
fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let next = path.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::rename(next, path).unwrap();
}

#[tokio::test]
async fn rules_that_changed_are_put_in_force() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    write(&house.rules("a.yaml"), &GOOD.replace("High", "Higher"));
    let report = house.reloader.reload_when_whole().await;
    assert!(report.is_good && report.shown.is_empty(), "{}", report.text);
    assert_eq!(house.in_force().await, ["Higher"]);
    assert_eq!(house.counted().await, (1.0, 0.0));
}

#[tokio::test]
async fn a_broken_file_keeps_its_last_good_rules_and_the_others_change() {
    let mut house = House::new(&[("a.yaml", GOOD), ("b.yaml", &GOOD.replace("High", "Other"))]);
    write(&house.rules("a.yaml"), "groups: [");
    write(&house.rules("b.yaml"), &GOOD.replace("High", "Another"));
    let report = house.reloader.reload_when_whole().await;
    assert!(!report.is_good && report.text.contains("a.yaml:1:"), "{}", report.text);
    let mut in_force = house.in_force().await;
    in_force.sort();
    assert_eq!(in_force, ["Another", "High"]);
    assert!(house.context.status.diagnostics().contains("the previous ones stay in force"));
    assert_eq!(house.counted().await, (0.0, 1.0));
    write(&house.rules("a.yaml"), GOOD);
    assert!(house.reloader.reload_when_whole().await.is_good);
    assert_eq!(house.context.status.diagnostics(), "", "what is mended is said no more");
}

#[tokio::test]
async fn rules_whose_folder_is_away_stay_in_force() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    let (there, away) = (house.folder.path().join("rules"), house.folder.path().join("away"));
    std::fs::rename(&there, &away).unwrap();
    let report = house.reloader.reload_when_whole().await;
    assert!(!report.is_good, "{}", report.text);
    assert_eq!(house.in_force().await, ["High"]);
    std::fs::rename(&away, &there).unwrap();
    assert!(house.reloader.reload_when_whole().await.is_good);
    assert_eq!(house.in_force().await, ["High"]);
    std::fs::remove_file(house.rules("a.yaml")).unwrap();
    assert!(house.reloader.reload_when_whole().await.is_good, "a file that was taken away is meant to be");
    assert_eq!(house.in_force().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_live_key_counts_at_once_and_another_waits() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    house.change(|config| config.query.threads = 7);
    let report = house.reloader.reload_when_whole().await;
    assert!(report.text.starts_with("Changed: query.threads.\n"), "{}", report.text);
    assert_eq!(house.context.config.get().query.threads, 7);
    assert_eq!(*house.applied.lock().unwrap(), ["test"]);
    house.change(|config| config.listen = Some("127.0.0.1:1".to_owned()));
    let report = house.reloader.reload_when_whole().await;
    assert!(report.is_good && report.text.contains("Waiting for a restart: listen.\n"), "{}", report.text);
    assert_eq!(house.context.config.get().listen, None);
    assert_eq!(house.applied.lock().unwrap().len(), 1, "nothing was put in force");
    house.change(|config| config.listen = None);
    assert!(!house.reloader.reload_when_whole().await.text.contains("Waiting"), "it is taken back");
}

#[tokio::test]
async fn a_refused_configuration_changes_nothing_and_rules_are_read_all_the_same() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    *house.written.lock().unwrap() = None;
    write(&house.rules("a.yaml"), &GOOD.replace("High", "Higher"));
    let before = house.context.config.get();
    let report = house.reloader.reload_when_whole().await;
    assert!(!report.is_good && report.text.contains("The configuration is refused"), "{}", report.text);
    assert!(Arc::ptr_eq(&before, &house.context.config.get()));
    assert_eq!(house.in_force().await, ["Higher"]);
    assert_eq!(house.counted().await, (0.0, 1.0));
}

#[tokio::test]
async fn other_paths_are_read_and_watched_from_then_on() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    let other = house.folder.path().join("other/b.yaml");
    write(&other, &GOOD.replace("High", "Elsewhere"));
    house.change(|config| config.rules = Some(vec![other.display().to_string()]));
    assert!(house.reloader.reload_when_whole().await.is_good);
    assert_eq!(house.in_force().await, ["Elsewhere"]);
    assert_eq!(house.reloader.folders(), [house.folder.path().to_owned(), house.folder.path().join("other")]);
    write(&other, &GOOD.replace("High", "There"));
    house.notice().await;
    assert_eq!(house.in_force().await, ["There"]);
}

#[tokio::test]
async fn without_a_change_nothing_is_read_and_any_change_is_seen() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    house.notice().await;
    assert_eq!(house.counted().await, (0.0, 0.0));
    write(&house.folder.path().join("signalbox.yaml"), "{}");
    house.notice().await;
    write(&house.rules("new.yaml"), &GOOD.replace("name: g", "name: h").replace("High", "New"));
    house.notice().await;
    house.notice().await;
    assert_eq!(house.counted().await, (2.0, 0.0));
    assert_eq!(house.in_force().await, ["High", "New"]);
}

#[tokio::test]
async fn credentials_that_changed_have_every_connection_sign_in_anew() {
    let secrets = tempfile::tempdir().unwrap();
    let token = secrets.path().join("token");
    std::fs::write(&token, "one").unwrap();
    let mut settings = Settings::default();
    settings.nats.auth = Auth::Token(SecretSource::File(token.clone()));
    let mut house = House::with(settings, &[]);
    drop(house.reloader.reload_when_whole().await);
    assert_eq!(house.context.renewals.generation(), 0);
    std::fs::write(&token, "two").unwrap();
    drop(house.reloader.reload_when_whole().await);
    assert_eq!(house.context.renewals.generation(), 1);
}

#[tokio::test]
async fn whoever_wishes_for_a_reload_is_told_and_the_last_one_gone_ends_it() {
    let house = House::new(&[("a.yaml", GOOD)]);
    let (wishes, received) = mpsc::channel(1);
    let running = tokio::spawn(house.reloader.run(received));
    for _ in 0..2 {
        let (wish, outcome) = oneshot::channel();
        wishes.send(wish).await.unwrap();
        assert!(outcome.await.unwrap().is_good);
    }
    drop(wishes);
    running.await.unwrap();
}

#[tokio::test]
async fn who_asks_while_a_change_settles_is_told_what_changed() {
    let house = House::new(&[("a.yaml", GOOD)]);
    house.change(|config| config.slow_query = Duration::from_secs(9));
    write(&house.folder.path().join("signalbox.yaml"), "{}");
    let House { mut reloader, .. } = house;
    let (wishes, mut received) = mpsc::channel(1);
    let patience = Patience { changed: Duration::from_hours(1), at_most: Duration::from_hours(1), ..NOTICED };
    let turning = async move { reloader.turn(&mut received, &patience).await };
    let running = tokio::spawn(turning);
    let (wish, outcome) = oneshot::channel();
    wishes.send(wish).await.unwrap();
    assert!(outcome.await.unwrap().text.contains("Changed: slow_query."));
    drop(wishes);
    running.await.unwrap();
}

#[tokio::test]
async fn the_default_folder_of_rules_is_noticed_when_it_appears() {
    let mut house = House::new(&[]);
    house.change(|config| config.rules = Some(Vec::new()));
    drop(house.reloader.reload_when_whole().await);
    let rules = house.folder.path().join("default");
    write(&rules.join("a.yaml"), GOOD);
    house.change(|config| config.rules = Some(vec![rules.display().to_string()]));
    house.notice().await;
    assert_eq!(house.in_force().await, ["High"]);
    write(&rules.join("note.txt"), "read by nobody");
    house.notice().await;
    assert_eq!(house.counted().await, (2.0, 0.0), "of a folder that is read its files tell");
}

#[test]
fn readiness_says_where_no_rule_is_left_and_nothing_where_one_is() {
    let context = ShellContext::new(Settings::default(), Config::with_defaults("test"));
    let load = |is_good, rules| {
        let (text, lines) = (String::new(), Vec::new());
        Load { rules, is_good, text, lines, files: 1, passed_over: Vec::new(), held: Vec::new() }
    };
    tell(&context, &load(false, RuleSet::default()));
    assert_eq!(context.status.reasons().len(), 1);
    tell(&context, &load(false, rule_set(GOOD)));
    assert!(context.status.reasons().is_empty());
    tell(&context, &load(true, RuleSet::default()));
    assert!(context.status.reasons().is_empty(), "no rules are fine where none are asked for");
}

#[tokio::test]
async fn a_file_that_is_emptied_and_filled_again_never_loses_its_rules() {
    let mut house = House::new(&[("a.yaml", GOOD), ("b.yaml", &GOOD.replace("High", "Other"))]);
    std::fs::write(house.rules("a.yaml"), "").unwrap();
    write(&house.rules("b.yaml"), &GOOD.replace("High", "Another"));
    let (changed, at_most) = (Duration::ZERO, Duration::ZERO);
    let patience = Patience { changed, at_most, emptied: Duration::from_hours(1), ..NOTICED };
    assert_eq!(house.reloader.reload_if_changed(&patience).await, None);
    assert_eq!(house.in_force().await, ["High", "Another"], "what is whole does not wait");
    assert!(house.context.status.diagnostics().contains("a.yaml is being written"));
    std::fs::write(house.rules("a.yaml"), GOOD.replace("High", "Higher")).unwrap();
    house.notice().await;
    assert_eq!(house.in_force().await, ["Higher", "Another"]);
    assert_eq!(house.context.status.diagnostics(), "");
}

#[tokio::test]
async fn a_file_that_stays_empty_holds_no_rules() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    std::fs::write(house.rules("a.yaml"), "").unwrap();
    assert!(house.reloader.reload_when_whole().await.is_good);
    assert_eq!(house.in_force().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_configuration_that_is_being_written_is_not_put_in_force() {
    let mut house = House::new(&[("a.yaml", GOOD)]);
    let file = house.folder.path().join("signalbox.yaml");
    std::fs::write(&file, "slow_query: 1s\n").unwrap();
    house.notice().await;
    std::fs::write(&file, "").unwrap();
    house.change(|config| config.query.threads = 7);
    let held = BTreeSet::from([file.clone()]);
    let before = house.context.config.get().query.threads;
    assert!(house.reloader.reload(held).await.text.contains("signalbox.yaml is being written"));
    assert_eq!(house.context.config.get().query.threads, before);
    std::fs::write(&file, "query: {threads: 7}\n").unwrap();
    house.notice().await;
    assert_eq!(house.context.config.get().query.threads, 7);
}

#[tokio::test]
async fn what_changed_between_the_start_and_the_first_look_is_a_change() {
    let house = House::new(&[("a.yaml", GOOD), ("b.yaml", &GOOD.replace("High", "Other"))]);
    let House { reloader, folder, .. } = &house;
    let mut files = RuleFiles::new(vec![folder.path().join("rules")], known_metrics(&Config::default()));
    let texts = files.read();
    drop(files.load(texts, &BTreeSet::new()));
    write(&house.rules("a.yaml"), &GOOD.replace("High", "Higher"));
    std::fs::remove_file(house.rules("b.yaml")).unwrap();
    let mut late = Reloader::new(files, None, reloader.context.clone());
    while let Some(again) = late.reload_if_changed(&NOTICED).await {
        tokio::time::sleep_until(again).await;
    }
    assert_eq!(house.in_force().await, ["Higher"]);
}
