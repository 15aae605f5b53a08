//! `signalbox lsp`: a language server for rule files, rule tests and configurations.
//!
//! What is wrong with a file `check` says and what may stand in it [`crate::engine::assist`] knows; here are the
//! protocol, the files as they stand in the editor, and nothing else.

mod answers;
mod live;
mod places;
mod transport;
mod uri;
mod workspace;

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
    DidSaveTextDocument, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{RegisterCapability, Request as _};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CompletionOptions,
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    HoverProviderCapability, InitializeParams, OneOf, PublishDiagnosticsParams, RenameOptions,
    ServerCapabilities, ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind, Uri,
};
use serde_json::{Value, json};

use super::CommandOutcome;
use live::Live;
use places::Columns;
use workspace::Workspace;

use crate::shell::plain::plain;

/// How the server works.
#[derive(Args)]
pub(super) struct Arguments {
    /// A running sidecar; hovering over a metric then shows its present values.
    #[arg(long, value_name = "http://HOST:PORT")]
    url: Option<String>,
    /// Editors pass it to every server: the protocol is spoken on standard input and output in any case.
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves one editor until it says that it is done.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<CommandOutcome> {
    let live = match &arguments.url {
        Some(url) => {
            Some(Live::of(url).ok_or_else(|| anyhow!("ask `{url}`: write --url as http://HOST:PORT"))?)
        }
        None => None,
    };
    let (connection, transport) = transport::begin();
    let outcome = serve(connection, live);
    // What could not be read says more than that nothing comes any more.
    transport.end()?;
    outcome.map(|()| CommandOutcome::Fine)
}

/// Serves what comes over a connection.
fn serve(connection: Connection, live: Option<Live>) -> anyhow::Result<()> {
    let (id, params) = connection.initialize_start().context("begin: the editor has to initialize first")?;
    let params: InitializeParams = serde_json::from_value(params).context("read what the editor asks")?;
    let general = params.capabilities.general.as_ref();
    let columns = Columns::agreed(general.and_then(|general| general.position_encodings.as_deref()));
    let root = root(&params)?;
    let answer = json!({"capabilities": capabilities(columns), "serverInfo": ServerInfo {
        name: "signalbox".to_owned(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    }});
    connection.initialize_finish(id, answer).context("answer the editor")?;
    // Paths in a configuration are relative to where the sidecar is started: beside it.
    std::env::set_current_dir(&root).with_context(|| format!("work in {}", root.display()))?;
    let mut server = Server { connection, workspace: Workspace::new(root), columns, live, is_stale: false };
    if can_watch(&params) {
        server.send(Message::Request(Request::new(
            0.into(),
            RegisterCapability::METHOD.to_owned(),
            watching(),
        )))?;
    }
    server.serve()
}

/// Whether the editor tells of files that change on disk once it is asked to.
fn can_watch(params: &InitializeParams) -> bool {
    let workspace = params.capabilities.workspace.as_ref();
    let watched = workspace.and_then(|workspace| workspace.did_change_watched_files.as_ref());
    watched.and_then(|watched| watched.dynamic_registration) == Some(true)
}

/// Which files that is.
fn watching() -> Value {
    let options = json!({"watchers": [{"globPattern": "**/*.{yaml,yml}"}]});
    json!({"registrations": [
        {"id": "files", "method": DidChangeWatchedFiles::METHOD, "registerOptions": options}
    ]})
}

/// The folder of the project: the first that the editor names, else where the server was started.
fn root(params: &InitializeParams) -> anyhow::Result<PathBuf> {
    let folder = params.workspace_folders.iter().flatten().next().map(|folder| &folder.uri);
    #[expect(deprecated, reason = "some editors still name the project so")]
    let folder = folder.or(params.root_uri.as_ref());
    match folder.and_then(uri::path) {
        Some(path) if path.is_dir() => Ok(path),
        Some(_) | None => std::env::current_dir().context("find the folder of the project"),
    }
}

fn capabilities(columns: Columns) -> ServerCapabilities {
    let triggers = ["{", "(", "\"", "$", ".", "[", " "];
    ServerCapabilities {
        position_encoding: Some(columns.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: lsp_types::WorkDoneProgressOptions::default(),
        })),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        ..ServerCapabilities::default()
    }
}

/// One editor, and the project it works on.
struct Server {
    connection: Connection,
    workspace: Workspace,
    columns: Columns,
    live: Option<Live>,
    /// Whether a file changed since everything was checked.
    is_stale: bool,
}

impl Server {
    fn serve(&mut self) -> anyhow::Result<()> {
        loop {
            // While somebody types, what is wrong is said once they pause.
            if self.is_stale && self.connection.receiver.is_empty() {
                self.check()?;
            }
            let Ok(message) = self.connection.receiver.recv() else {
                bail!("go on: the editor is gone without saying so");
            };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request).context("end as the editor asks")? {
                        return Ok(());
                    }
                    // Not every editor tells of files that come, go and are renamed.
                    if answers::changes_files(&request.method) {
                        self.workspace.look_at_disk();
                        self.is_stale = true;
                    }
                    // An answer is about what stands in the editor now.
                    if self.is_stale && answers::needs_findings(&request.method) {
                        self.check()?;
                    }
                    let id = request.id.clone();
                    let response = match self.answer(&request.method, request.params) {
                        Ok(Some(value)) => Response::new_ok(id, value),
                        Ok(None) => {
                            let text = format!("signalbox has no {}", request.method);
                            Response::new_err(id, ErrorCode::MethodNotFound as i32, text)
                        }
                        Err(error) => {
                            let code = ErrorCode::InvalidParams as i32;
                            Response::new_err(id, code, format!("cannot {}", plain(&error)))
                        }
                    };
                    self.send(Message::Response(response))?;
                }
                Message::Notification(notification) => self.take(notification)?,
                Message::Response(_) => {}
            }
        }
    }

    fn send(&self, message: Message) -> anyhow::Result<()> {
        self.connection.sender.send(message).map_err(|_| anyhow!("write to the editor"))
    }

    /// Takes what the editor tells.
    fn take(&mut self, told: Notification) -> anyhow::Result<()> {
        match told.method.as_str() {
            DidOpenTextDocument::METHOD => {
                let params: DidOpenTextDocumentParams = read(told.params)?;
                self.put(&params.text_document.uri, &params.text_document.text);
            }
            DidChangeTextDocument::METHOD => {
                let mut params: DidChangeTextDocumentParams = read(told.params)?;
                if let Some(change) = params.content_changes.pop() {
                    self.put(&params.text_document.uri, &change.text);
                }
            }
            DidCloseTextDocument::METHOD => {
                let params: DidCloseTextDocumentParams = read(told.params)?;
                let uri = params.text_document.uri;
                if let Some(path) = uri::path(&uri) {
                    self.workspace.close(&path);
                    self.publish(uri, Vec::new())?;
                    self.is_stale = true;
                }
            }
            DidSaveTextDocument::METHOD | DidChangeWatchedFiles::METHOD => {
                self.workspace.look_at_disk();
                self.is_stale = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, uri: &Uri, text: &str) {
        if let Some(path) = uri::path(uri) {
            self.workspace.put(path, text);
            self.is_stale = true;
        }
    }

    /// Checks everything and says what is wrong with each open file.
    fn check(&mut self) -> anyhow::Result<()> {
        self.is_stale = false;
        let columns = self.columns;
        self.workspace.check();
        let told: Vec<(Uri, Vec<lsp_types::Diagnostic>)> = self
            .workspace
            .open_files()
            .filter_map(|(path, file, found)| {
                let shown = |found| answers::diagnostic(found, &file.lines, columns);
                Some((uri::of(path)?, found.iter().map(shown).collect()))
            })
            .collect();
        told.into_iter().try_for_each(|(uri, list)| self.publish(uri, list))
    }

    fn publish(&self, uri: Uri, diagnostics: Vec<lsp_types::Diagnostic>) -> anyhow::Result<()> {
        let params = PublishDiagnosticsParams { uri, diagnostics, version: None };
        self.send(Message::Notification(Notification::new(PublishDiagnostics::METHOD.to_owned(), params)))
    }
}

/// What a message holds.
fn read<T: serde::de::DeserializeOwned>(value: Value) -> anyhow::Result<T> {
    serde_json::from_value(value).context("read what the editor sent")
}
