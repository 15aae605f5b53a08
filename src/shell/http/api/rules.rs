//! Rules and alerts, and whom they are told.

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use serde_json::json;

use crate::shell::http::Web;
use crate::shell::http::form::Form;
use crate::shell::prometheus_json::{self as json, RuleFilter, RulePage, ShowAlerts, WantedKind};

use super::{Answer, RequestError, answer, selector};

/// The words Go reads as true.
const TRUE_WORDS: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];

/// `/rules`
pub(super) async fn rules(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let kind = match form.get("type").map(str::to_lowercase).as_deref() {
        None => None,
        Some("alert") => Some(WantedKind::Alerting),
        Some("record") => Some(WantedKind::Recording),
        Some(other) => return Err(RequestError::RuleType(other.to_owned())),
    };
    let all = |name| form.all(name).filter(|value| !value.is_empty()).map(str::to_owned).collect();
    let is_short = form.get("exclude_alerts").is_some_and(|word| TRUE_WORDS.contains(&word));
    let texts = form.all("match[]").filter(|text| !text.is_empty());
    let filter = RuleFilter {
        kind,
        names: all("rule_name[]"),
        groups: all("rule_group[]"),
        files: all("file[]"),
        selectors: texts
            .map(|text| Ok(selector("match[]", text)?.matchers))
            .collect::<Result<Vec<_>, RequestError>>()?,
        alerts: if is_short { ShowAlerts::No } else { ShowAlerts::Yes },
    };
    let page = page(&form)?;
    let instant = web.mailbox.freeze().await?;
    Ok(answer(&json::rules(instant.groups(), &filter, page.as_ref())?))
}

/// Which page of the groups is asked for; all of them where there is none.
fn page(form: &Form) -> Result<Option<RulePage>, RequestError> {
    let token = form.get("group_next_token").map(str::to_owned);
    match form.get("group_limit").map(str::parse) {
        Some(Ok(groups_max)) if groups_max > 0 => Ok(Some(RulePage { groups_max, token })),
        Some(_) => Err(RequestError::NoGroupLimit),
        None if token.is_some() => Err(RequestError::TokenWithoutLimit),
        None => Ok(None),
    }
}

/// `/alerts`
pub(super) async fn alerts(State(web): State<Web>) -> Answer {
    let instant = web.mailbox.freeze().await?;
    Ok(answer(&json::alerts(&instant.alerts())))
}

/// `/alertmanagers`
pub(super) async fn alertmanagers(State(web): State<Web>) -> Answer {
    let config = web.config.get();
    let urls = config.alertmanager.urls.iter().map(|url| json!({ "url": format!("{url}/api/v2/alerts") }));
    Ok(answer(&json::success(json!({
        "activeAlertmanagers": urls.collect::<Vec<_>>(),
        "droppedAlertmanagers": [],
    }))))
}
