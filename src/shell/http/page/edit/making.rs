//! Rule files made and removed on the page, and brought back.

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;

use crate::shell::http::Web;
use crate::shell::http::page::address::edit_address;
use crate::shell::rule_files::edits::{EditFault, EditedFile, Version};
use crate::shell::rule_files::{making, paths_of};

use super::Visit;
use super::answer::{Failure, see_other};

/// `POST /edit/new`: makes a file without rules.
pub(super) async fn make(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let paths = paths_of(&visit.config);
    let field = |name| form.get(name).unwrap_or_default().to_owned();
    let (folder, name) = (field("folder"), field("name"));
    let made = visit.work(move || making::make(&paths, &folder, &name)).await?;
    there(&visit, made, Led::Made).await
}

/// `POST /edit/remove`: takes a file away, which is kept.
pub(super) async fn remove(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let file = visit.find(&form)?;
    let opened = Version(form.get("version").unwrap_or_default().to_owned());
    let (paths, gone) = (paths_of(&visit.config), file.clone());
    visit.work(move || gone.remove(&paths, &opened)).await??;
    loaded(&visit, &file, "removed").await;
    Ok(see_other("../edit?removed=1"))
}

/// `POST /edit/bring-back`: brings a removed file back.
pub(super) async fn bring_back(State(web): State<Web>, request: Request<Body>) -> Result<Response, Failure> {
    let (visit, form) = Visit::submitted(web, request).await?;
    let (paths, name) = (paths_of(&visit.config), form.get("file").unwrap_or_default().to_owned());
    let back = visit.work(move || making::bring_back(&paths, &name)).await?;
    there(&visit, back, Led::Back).await
}

/// What led to a file.
#[derive(Clone, Copy)]
enum Led {
    Made,
    Back,
}

/// Leads to a file that is there now.
async fn there(visit: &Visit, file: Result<EditedFile, EditFault>, led: Led) -> Result<Response, Failure> {
    let file = file?;
    let (what, key) = match led {
        Led::Made => ("made", "made"),
        Led::Back => ("brought back", "back"),
    };
    loaded(visit, &file, what).await;
    Ok(see_other(&format!("../{}&{key}=1", edit_address(&file.name, None))))
}

/// Says what was done, and has the rules loaded.
async fn loaded(visit: &Visit, file: &EditedFile, what: &'static str) {
    tracing::info!(
        file = %file.name, user = %visit.editor.name, from = %visit.from, what, "a rule file was changed on the page"
    );
    visit.reload().await;
}
