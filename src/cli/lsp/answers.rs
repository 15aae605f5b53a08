//! What is answered to the questions of an editor.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lsp_types::request::{
    CodeActionRequest, Completion as CompletionRequest, DocumentSymbolRequest, Formatting, GotoDefinition,
    HoverRequest, PrepareRenameRequest, References, Rename, Request as _,
};
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionParams, CompletionItem, CompletionItemKind, CompletionParams,
    CompletionTextEdit, Diagnostic as Shown, DiagnosticSeverity, DocumentFormattingParams,
    DocumentSymbolParams, Documentation, GotoDefinitionParams, Hover, HoverContents, HoverParams, Location,
    MarkupContent, MarkupKind, NumberOrString, Position, ReferenceParams, RenameParams, SymbolInformation,
    SymbolKind, TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit,
};
use serde_json::{Value, json};

use super::places::{Columns, Lines};
use super::workspace::WorkspaceFile;
use super::{Server, read, uri};
use crate::engine::assist::{
    Completion, CompletionKind, FixSource, Knowledge, Name, NameKind, complete, fixes, formatted, hover,
    is_plain_word, name_at, uses,
};
use crate::engine::diagnostic::{Diagnostic, Severity};
use crate::engine::rules::load::is_plain_metric;

/// Whether an answer is worked out from what is wrong with the files, or from the rules that loaded.
pub(super) fn needs_findings(method: &str) -> bool {
    matches!(method, CodeActionRequest::METHOD | HoverRequest::METHOD)
}

/// Whether an answer edits other files than the one it is asked about.
pub(super) fn changes_files(method: &str) -> bool {
    method == Rename::METHOD
}

/// A finding as the protocol has it.
pub(super) fn diagnostic(found: &Diagnostic, lines: &Lines, columns: Columns) -> Shown {
    let message = match &found.advice {
        Some(advice) => format!("{}\n{advice}", found.message),
        None => found.message.clone(),
    };
    Shown {
        range: lines.range(columns, &found.span),
        severity: Some(match found.severity {
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Error => DiagnosticSeverity::ERROR,
        }),
        code: Some(NumberOrString::String(found.code.to_owned())),
        source: Some("signalbox".to_owned()),
        message,
        ..Shown::default()
    }
}

impl Server {
    /// The answer to a request; none where it is none of those that the server knows.
    pub(super) fn answer(&self, method: &str, params: Value) -> anyhow::Result<Option<Value>> {
        let value = match method {
            CompletionRequest::METHOD => self.complete(&read(params)?)?,
            HoverRequest::METHOD => self.hover(&read(params)?)?,
            GotoDefinition::METHOD => self.definition(&read(params)?)?,
            References::METHOD => self.references(&read(params)?)?,
            PrepareRenameRequest::METHOD => self.prepare_rename(&read(params)?)?,
            Rename::METHOD => self.rename(&read(params)?)?,
            Formatting::METHOD => self.format(&read(params)?)?,
            CodeActionRequest::METHOD => self.actions(&read(params)?)?,
            DocumentSymbolRequest::METHOD => self.symbols(&read(params)?)?,
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    fn file(&self, uri: &Uri) -> anyhow::Result<(PathBuf, &WorkspaceFile)> {
        let path = uri::path(uri).with_context(|| format!("find {}: only files are known", uri.as_str()))?;
        let Some(file) = self.workspace.opened(&path) else {
            bail!("find {}: it is not open", path.display());
        };
        Ok((path, file))
    }

    fn at(&self, asked: &TextDocumentPositionParams) -> anyhow::Result<(PathBuf, &WorkspaceFile, usize)> {
        let (path, file) = self.file(&asked.text_document.uri)?;
        let at = file.lines.byte(self.columns, asked.position);
        Ok((path, file, at))
    }

    fn knowledge(&self, query: Option<(&Path, Position)>) -> Knowledge<'_> {
        let workspace = &self.workspace;
        let query = query.and_then(|(path, at)| workspace.query_at(path, at.line as usize + 1));
        Knowledge {
            metrics: &workspace.metrics,
            recorded: &workspace.recorded,
            alerts: &workspace.alerts,
            query,
        }
    }

    fn complete(&self, params: &CompletionParams) -> anyhow::Result<Value> {
        let (_, file, at) = self.at(&params.text_document_position)?;
        let found = complete(&file.document(), at, &self.knowledge(None));
        let items: Vec<CompletionItem> =
            found.into_iter().map(|completion| self.item(completion, &file.lines)).collect();
        Ok(json!({"isIncomplete": false, "items": items}))
    }

    fn item(&self, completion: Completion, lines: &Lines) -> CompletionItem {
        let range = lines.range(self.columns, &completion.span);
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        CompletionItem {
            kind: Some(match completion.kind {
                CompletionKind::Key => CompletionItemKind::PROPERTY,
                CompletionKind::Metric => CompletionItemKind::VARIABLE,
                CompletionKind::Function => CompletionItemKind::FUNCTION,
                CompletionKind::Keyword => CompletionItemKind::KEYWORD,
                CompletionKind::Label => CompletionItemKind::FIELD,
                CompletionKind::Value => CompletionItemKind::VALUE,
            }),
            detail: some(completion.detail),
            documentation: some(completion.about).map(Documentation::String),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(range, completion.insert))),
            label: completion.label,
            ..CompletionItem::default()
        }
    }

    fn hover(&self, params: &HoverParams) -> anyhow::Result<Value> {
        let asked = &params.text_document_position_params;
        let (path, file, at) = self.at(asked)?;
        let knowledge = self.knowledge(Some((&path, asked.position)));
        let Some(found) = hover(&file.document(), at, &knowledge) else { return Ok(Value::Null) };
        let mut value = found.text;
        if let (Some(live), Some(metric)) = (&self.live, &found.metric) {
            value = format!("{value}\n\n{}", live.about(metric));
        }
        let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
        Ok(json!(Hover { contents, range: Some(file.lines.range(self.columns, &found.span)) }))
    }

    /// The name at a place.
    fn named(&self, asked: &TextDocumentPositionParams) -> anyhow::Result<Option<Name>> {
        let (_, file, at) = self.at(asked)?;
        Ok(name_at(&file.document(), at))
    }

    /// Every place that has a name.
    fn places(&self, name: &Name) -> Vec<Location> {
        let mut places = Vec::new();
        for (path, file) in self.workspace.files() {
            let Some(uri) = uri::of(path) else { continue };
            for span in uses(&file.document(), name) {
                places.push(Location::new(uri.clone(), file.lines.range(self.columns, &span)));
            }
        }
        places
    }

    /// The places where rules give a name.
    fn given(&self, name: &Name) -> Vec<Location> {
        let mut places = Vec::new();
        for (path, file) in self.workspace.files() {
            let Some(uri) = uri::of(path) else { continue };
            let same = file.names.iter().filter(|known| known.kind == name.kind && known.text == name.text);
            places.extend(
                same.map(|known| Location::new(uri.clone(), file.lines.range(self.columns, &known.span))),
            );
        }
        places
    }

    fn definition(&self, params: &GotoDefinitionParams) -> anyhow::Result<Value> {
        let named = self.named(&params.text_document_position_params)?;
        Ok(json!(named.map(|name| self.given(&name)).unwrap_or_default()))
    }

    fn references(&self, params: &ReferenceParams) -> anyhow::Result<Value> {
        let named = self.named(&params.text_document_position)?;
        Ok(json!(named.map(|name| self.places(&name)).unwrap_or_default()))
    }

    /// A name may be changed where a rule gives it; what the catalogue gives may not.
    fn prepare_rename(&self, asked: &TextDocumentPositionParams) -> anyhow::Result<Value> {
        let (_, file) = self.file(&asked.text_document.uri)?;
        let name = self.named(asked)?.filter(|name| !self.given(name).is_empty());
        Ok(json!(name.map(|name| file.lines.range(self.columns, &name.span))))
    }

    fn rename(&self, params: &RenameParams) -> anyhow::Result<Value> {
        let named = self.named(&params.text_document_position)?;
        let Some(name) = named.filter(|name| !self.given(name).is_empty()) else {
            bail!("rename this: no rule here gives that name");
        };
        let new = params.new_name.as_str();
        if name.kind == NameKind::Recorded && !is_plain_metric(new) {
            bail!(
                "rename it to `{new}`: a metric has letters, digits, `_` and `:`, and begins with no digit"
            );
        }
        if !is_plain_word(new) {
            bail!(
                "rename it to `{new}`: take a name that needs no quotes in YAML (no quotes, brackets, commas, `#`, `: ` and no other sign at its beginning)"
            );
        }
        let mut changes: BTreeMap<String, Vec<TextEdit>> = BTreeMap::new();
        for place in self.places(&name) {
            let edits = changes.entry(place.uri.as_str().to_owned()).or_default();
            edits.push(TextEdit::new(place.range, new.to_owned()));
        }
        Ok(json!({"changes": changes}))
    }

    fn format(&self, params: &DocumentFormattingParams) -> anyhow::Result<Value> {
        let (_, file) = self.file(&params.text_document.uri)?;
        let now = file.lines.text();
        let text = formatted(now);
        if text == now.as_ref() {
            return Ok(json!([]));
        }
        Ok(json!([TextEdit::new(file.lines.range(self.columns, &(0..now.len())), text)]))
    }

    fn actions(&self, params: &CodeActionParams) -> anyhow::Result<Value> {
        let uri = &params.text_document.uri;
        let (path, file) = self.file(uri)?;
        let (start, end) = (params.range.start, params.range.end);
        let wanted = file.lines.byte(self.columns, start)..file.lines.byte(self.columns, end);
        let here = self
            .workspace
            .findings(&path)
            .iter()
            .filter(|found| found.span.start <= wanted.end && wanted.start <= found.span.end);
        let actions: Vec<CodeAction> = here
            .flat_map(|found| fixes(found, file.document().outline).into_iter().map(move |fix| (found, fix)))
            .map(|(found, fix)| {
                let edit = TextEdit::new(file.lines.range(self.columns, &fix.span), fix.text);
                CodeAction {
                    title: fix.title,
                    kind: Some(CodeActionKind::QUICKFIX),
                    diagnostics: Some(vec![diagnostic(found, &file.lines, self.columns)]),
                    edit: Some(WorkspaceEdit {
                        changes: Some(HashMap::from([(uri.clone(), vec![edit])])),
                        ..WorkspaceEdit::default()
                    }),
                    is_preferred: Some(fix.source == FixSource::Advice),
                    ..CodeAction::default()
                }
            })
            .collect();
        Ok(json!(actions))
    }

    fn symbols(&self, params: &DocumentSymbolParams) -> anyhow::Result<Value> {
        let uri = &params.text_document.uri;
        let (_, file) = self.file(uri)?;
        let symbol = |name: &Name| {
            let kind = match name.kind {
                NameKind::Alert => SymbolKind::EVENT,
                NameKind::Recorded => SymbolKind::VARIABLE,
                NameKind::Id => return None,
            };
            #[expect(deprecated, reason = "the type has the field still")]
            Some(SymbolInformation {
                name: name.text.clone(),
                kind,
                tags: None,
                deprecated: None,
                location: Location::new(uri.clone(), file.lines.range(self.columns, &name.span)),
                container_name: None,
            })
        };
        Ok(json!(file.names.iter().filter_map(symbol).collect::<Vec<SymbolInformation>>()))
    }
}
