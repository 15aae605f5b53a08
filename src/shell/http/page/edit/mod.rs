//! Editing rule files on the page (`--web-edit`): what may be asked, and what is done.
//!
//! Nothing here decides about rules: the loader says what is wrong, the engine what rules would have done, and the
//! reload puts in force what lies on disk, as after a change by hand. A GET changes nothing.

mod answer;
mod desk;
mod guard;
mod making;
mod sheet;
mod shelf;
mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use maud::Markup;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::engine::config::Config;
use crate::engine::diagnostic::Diagnostic;
use crate::engine::rules::RuleSet;
use crate::shell::http::Web;
use crate::shell::http::form::Form;
use crate::shell::http::gate::{Caller, Peer};
use crate::shell::rule_files::edits::{self, EditFault, EditedFile, Opened, Version};
use crate::shell::rule_files::making::{folders, removed};
use crate::shell::rule_files::paths_of;

use super::address::{Root, edit_address};
use super::live::{FREEZE_WAIT, surroundings};
use answer::{Failure, attachment, page};
use desk::{Checked, Desk};
use guard::{Asked, Editor};
use sheet::{InForce, Said, Sheet};
use shelf::{ListSaid, Listed, Shelf};
use trial::Trial;

pub(crate) use guard::{Edits, Reach};

/// The routes of the editor.
pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/edit", get(open))
        .route("/edit/check", post(check))
        .route("/edit/complete", post(complete))
        .route("/edit/preview", post(preview))
        .route("/edit/save", post(save))
        .route("/edit/back", post(put_back))
        .route("/edit/new", post(making::make))
        .route("/edit/remove", post(making::remove))
        .route("/edit/bring-back", post(making::bring_back))
        .route("/edit/download", post(download))
}

/// What every handler works with: who asks, and the configuration they ask under.
struct Visit {
    web: Web,
    edits: Arc<Edits>,
    config: Arc<Config>,
    editor: Editor,
    /// Where the request is from, for the log.
    from: String,
}

impl Visit {
    /// Lets somebody in who `admit` lets in.
    fn of(
        web: Web,
        parts: &Parts,
        admit: impl FnOnce(&Edits, &Asked<'_>) -> Result<Editor, guard::Refused>,
    ) -> Result<Self, Failure> {
        let edits = web.edits.clone().ok_or(Failure::Off)?;
        let config = web.config.get();
        let peer = parts.extensions.get::<Peer>();
        let asked = Asked {
            headers: &parts.headers,
            caller: parts.extensions.get::<Caller>(),
            peer,
            external_url: &config.external_url,
        };
        let editor = admit(&edits, &asked)?;
        let from = peer.map(|peer| peer.address.to_string()).unwrap_or_default();
        Ok(Self { web, edits, config, editor, from })
    }

    /// A form that was sent, with who sent it.
    async fn submitted(web: Web, request: Request<Body>) -> Result<(Self, Form), Failure> {
        let (parts, body) = request.into_parts();
        let bytes_max = web.body_bytes_max;
        let form = Form::read(Request::from_parts(parts.clone(), body), bytes_max).await?;
        let token = form.get("token").unwrap_or_default().to_owned();
        let visit = Self::of(web, &parts, |edits, asked| edits.submit(asked, &token))?;
        Ok((visit, form))
    }

    fn find(&self, form: &Form) -> Result<EditedFile, EditFault> {
        edits::find(&paths_of(&self.config), form.get("file").unwrap_or_default())
    }

    /// Does what reads and checks files where that keeps nobody waiting, one at a time.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let turn = Arc::clone(&self.edits.turn).acquire_owned().await.map_err(|_| Failure::Busy)?;
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Busy)
    }

    /// Has the rules loaded.
    async fn reload(&self) {
        let (wish, outcome) = oneshot::channel();
        if self.web.reload.send(wish).await.is_ok() {
            // What came of it is shown on the page that follows.
            drop(outcome.await);
        }
    }

    /// The file of a form, and the rules with its text in it.
    async fn desk(&self, form: &Form) -> Result<(EditedFile, Desk), Failure> {
        let file = self.find(form)?;
        let text = text_of(form)?;
        let (config, name) = (Arc::clone(&self.config), file.name.clone());
        let desk = self.work(move || Desk::of(&config, &name, &text)).await?;
        Ok((file, desk))
    }

    /// Whether the rules of a file are in force as they lie on disk, where these are those.
    async fn in_force(&self, file: &EditedFile, on_disk: Option<&RuleSet>) -> InForce {
        let frozen = timeout(FREEZE_WAIT, self.web.mailbox.freeze()).await;
        let Ok(Ok(instant)) = frozen else { return InForce::Unknown };
        let Some(on_disk) = on_disk else { return InForce::No };
        let groups = instant.groups().iter().map(|view| &view.definition);
        let known: Vec<_> = groups.filter(|group| group.file.as_ref() == file.name).collect();
        let is_same = known.len() == on_disk.groups.len()
            && known.iter().zip(&on_disk.groups).all(|(left, right)| left.is_same_as(right));
        if is_same { InForce::Yes(on_disk.rules().count()) } else { InForce::No }
    }
}

/// What a browser sends of a form's text, with the line ends it had.
fn text_of(form: &Form) -> Result<String, EditFault> {
    let text = form.get("text").unwrap_or_default().replace("\r\n", "\n");
    if text.len() > edits::TEXT_BYTES_MAX { Err(EditFault::TooLarge) } else { Ok(text) }
}

/// `GET /edit`: the files, or one of them.
async fn open(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let visit = Visit::of(web, &parts, Edits::open)?;
    let form = Form::of(parts.uri.query().unwrap_or_default());
    if form.get("file").is_none() {
        let said = if form.get("removed").is_some() { ListSaid::Removed } else { ListSaid::Nothing };
        return list(&visit, said).await;
    }
    let file = visit.find(&form)?;
    let opened = file.open()?;
    let number = form.get("version").and_then(|number| number.parse().ok());
    let (text, said) = match number {
        Some(number) => (file.version(number)?, Said::Version(number)),
        None => (opened.text.clone(), said_of(&form)),
    };
    let line = form.get("line").and_then(|line| line.parse().ok());
    let (config, name, lies) = (Arc::clone(&visit.config), file.name.clone(), opened.text.clone());
    let on_disk = visit.work(move || Desk::of(&config, &name, &lies).before()).await?;
    let in_force = visit.in_force(&file, on_disk.as_ref()).await;
    let sheet = Sheet {
        root: Root::BESIDE,
        file: &file,
        opened: &opened,
        is_removable: file.is_removable(&paths_of(&visit.config)),
        text: &text,
        version: &opened.version.0,
        token: &visit.editor.token,
        line,
        in_force,
        said,
        findings: &[],
        trial: Markup::default(),
    };
    page(&visit, (StatusCode::OK, Root::BESIDE), &file.name, sheet.markup())
}

/// What led to a file, as the address says.
fn said_of(form: &Form) -> Said {
    let is = |name| form.get(name).is_some();
    match (is("saved"), is("made"), is("back")) {
        (true, ..) => Said::Saved,
        (_, true, _) => Said::Made,
        (.., true) => Said::Back,
        (false, false, false) => Said::Nothing,
    }
}

async fn list(visit: &Visit, said: ListSaid) -> Result<Response, Failure> {
    let frozen = timeout(FREEZE_WAIT, visit.web.mailbox.freeze()).await;
    let groups = match &frozen {
        Ok(Ok(instant)) => instant.groups(),
        Ok(Err(_)) | Err(_) => &[],
    };
    let mut rules: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for group in groups {
        *rules.entry(Arc::clone(&group.file)).or_default() += group.rules.len();
    }
    let paths = paths_of(&visit.config);
    let look = move || {
        let files = edits::all_and_kept(&paths).into_iter().map(|(file, kept)| Listed {
            rules: rules.get(file.name.as_str()).copied().unwrap_or_default(),
            kept,
            read_only: file.read_only(),
            file,
        });
        (files.collect(), folders(&paths), removed(&paths))
    };
    let (files, folders, removed) = visit.work(look).await?;
    let shelf = Shelf { files, folders, removed, token: &visit.editor.token, said };
    page(visit, (StatusCode::OK, Root::BESIDE), "Rule files", shelf.markup())
}

/// `POST /edit/check`: what is wrong with a text, for the editor.
async fn check(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let (_, desk) = visit.desk(&form).await?;
    let found = visit.work(move || desk.check().diagnostics(desk.edited())).await?;
    Ok(answer::json(&found))
}

/// `POST /edit/complete`: what may stand at a place of a text, for the editor.
async fn complete(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let at = form.get("at").and_then(|at| at.parse().ok()).unwrap_or(usize::MAX);
    let (_, desk) = visit.desk(&form).await?;
    let found = visit.work(move || desk.complete(at)).await?;
    Ok(answer::json(&found))
}

/// `POST /edit/preview`: what is wrong with a text, and what its rules would have done.
async fn preview(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let (file, desk) = visit.desk(&form).await?;
    let (checked, before) = visit.work(move || (desk.check(), desk.before())).await?;
    let trial = match checked.set {
        Some(edited) => tried(&visit, edited, before.clone()).await?,
        None => Markup::default(),
    };
    let (status, said, findings) = (StatusCode::OK, Said::Nothing, &checked.findings);
    let outcome = Outcome { status, said, findings, trial, on_disk: before.as_ref() };
    again(&visit, &file, &form, outcome).await
}

/// Walks the rules through the past on a thread for queries.
async fn tried(visit: &Visit, edited: RuleSet, before: Option<RuleSet>) -> Result<Markup, Failure> {
    let trial =
        Trial { config: Arc::clone(&visit.config), edited, before, surroundings: surroundings(&visit.web) };
    let (tell, told) = oneshot::channel();
    let answered = visit.web.queries.answer(None, move |instant, terms, _| {
        // Who asked may have left.
        drop(tell.send(trial.show(instant, terms)));
        Ok(())
    });
    answered.await?;
    told.await.map_err(|_| Failure::Busy)
}

/// `POST /edit/save`: puts a text in the place of the file.
async fn save(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let (file, desk) = visit.desk(&form).await?;
    let text = desk.edited().text.to_string();
    replace(&visit, (&file, &form), (desk, text), "saved").await
}

/// `POST /edit/back`: puts a version that was kept in the place of the file.
async fn put_back(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let file = visit.find(&form)?;
    let number = form.get("number").and_then(|number| number.parse().ok()).ok_or(EditFault::NoSuchVersion)?;
    let text = file.version(number)?;
    let (config, name, edited) = (Arc::clone(&visit.config), file.name.clone(), text.clone());
    let desk = visit.work(move || Desk::of(&config, &name, &edited)).await?;
    replace(&visit, (&file, &form), (desk, text), "put back").await
}

/// Saves a text that a load would take, and has it loaded.
async fn replace(
    visit: &Visit,
    (file, form): (&EditedFile, &Form),
    (desk, text): (Desk, String),
    what: &'static str,
) -> Result<Response, Failure> {
    let opened = Version(form.get("version").unwrap_or_default().to_owned());
    let (to, over, bytes) = (file.clone(), opened.clone(), text.len());
    let work = move || {
        let checked = desk.check();
        let saved = checked.set.is_some().then(|| to.save(&text, &over));
        let on_disk = if let Some(Ok(_)) = &saved { None } else { desk.before() };
        (checked, saved, on_disk)
    };
    let (Checked { findings, .. }, saved, on_disk) = visit.work(work).await?;
    let (findings, on_disk) = (findings.as_slice(), on_disk.as_ref());
    let refused = |status, said| Outcome { status, said, findings, trial: Markup::default(), on_disk };
    let version = match saved {
        None => {
            return again(visit, file, form, refused(StatusCode::UNPROCESSABLE_ENTITY, Said::Refused)).await;
        }
        Some(Err(EditFault::Changed)) => {
            let now = file.open().map(|opened| opened.text).unwrap_or_default();
            return again(visit, file, form, refused(StatusCode::CONFLICT, Said::Conflict(now))).await;
        }
        Some(Err(fault)) => {
            let (status, why) = (Failure::status_of(&fault), fault.to_string());
            return again(visit, file, form, refused(status, Said::Failed(why))).await;
        }
        Some(Ok(version)) => version,
    };
    tracing::info!(
        file = %file.name, user = %visit.editor.name, from = %visit.from, what, bytes,
        before = opened.short(), after = version.short(), "a rule file was changed on the page"
    );
    visit.reload().await;
    Ok(answer::see_other(&format!("../{}&saved=1", edit_address(&file.name, None))))
}

/// `POST /edit/download`: gives a text back as a file.
async fn download(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let file = visit.find(&form)?;
    Ok(attachment(&file.file_name(), text_of(&form)?))
}

/// What came of a form that was sent.
struct Outcome<'a> {
    status: StatusCode,
    said: Said,
    findings: &'a [Diagnostic],
    trial: Markup,
    /// The file's rules as they lie on disk; none where they are refused.
    on_disk: Option<&'a RuleSet>,
}

/// The editor with the text that was sent, and what came of it.
async fn again(
    visit: &Visit,
    file: &EditedFile,
    form: &Form,
    outcome: Outcome<'_>,
) -> Result<Response, Failure> {
    let opened: Opened = file.open()?;
    // Where no text was sent, it is the file's that stands there now.
    let (text, version) = match form.get("text") {
        Some(_) => (text_of(form)?, form.get("version").unwrap_or_default()),
        None => (opened.text.clone(), opened.version.0.as_str()),
    };
    let in_force = visit.in_force(file, outcome.on_disk).await;
    let sheet = Sheet {
        root: Root::ABOVE,
        file,
        opened: &opened,
        is_removable: file.is_removable(&paths_of(&visit.config)),
        text: &text,
        version,
        token: &visit.editor.token,
        line: None,
        in_force,
        said: outcome.said,
        findings: outcome.findings,
        trial: outcome.trial,
    };
    page(visit, (outcome.status, Root::ABOVE), &file.name, sheet.markup())
}

#[cfg(test)]
mod tests;
