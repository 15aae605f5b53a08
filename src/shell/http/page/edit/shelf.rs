//! The markup of the list of rule files, where files are made and brought back.

use maud::{Markup, html};

use crate::shell::http::page::address::edit_address;
use crate::shell::http::page::words;
use crate::shell::rule_files::edits::EditedFile;
use crate::shell::rule_files::making::{RemovedFile, RulesFolder};

/// A file in the list.
pub(super) struct Listed {
    pub(super) file: EditedFile,
    pub(super) rules: usize,
    pub(super) kept: usize,
    pub(super) read_only: Option<String>,
}

/// What is said above the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListSaid {
    /// Nothing.
    Nothing,
    /// A file was removed.
    Removed,
}

/// Everything that the list shows.
pub(super) struct Shelf<'a> {
    pub(super) files: Vec<Listed>,
    pub(super) folders: Vec<RulesFolder>,
    pub(super) removed: Vec<RemovedFile>,
    pub(super) token: &'a str,
    pub(super) said: ListSaid,
}

impl Shelf<'_> {
    /// The page.
    pub(super) fn markup(&self) -> Markup {
        html! {
            main id="main" {
                h1 { "Rule files" }
                @if self.said == ListSaid::Removed {
                    p.note role="status" { strong { "Removed." } " It is kept, and can be brought back below." }
                }
                @if self.files.is_empty() {
                    div.empty {
                        p { strong { "No rule file is loaded." } }
                        p { "Name files or folders with " code { "--rules" } " or " code { "rules:" } " in the configuration." }
                    }
                } @else {
                    (self.table())
                }
                (self.new_file())
                @if !self.removed.is_empty() { (self.removed()) }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            div.scroll tabindex="0" role="group" aria-label="Rule files" { table.stack {
                thead { tr { th scope="col" { "File" } th.number scope="col" { "Rules in force" }
                    th.number scope="col" { "Versions kept" } th scope="col" { "Saved here" } } }
                tbody { @for listed in &self.files {
                    tr {
                        td data-label="File" {
                            a href=(edit_address(&listed.file.name, None)) { bdi { (words::short(&listed.file.name)) } }
                        }
                        td.number data-label="Rules in force" { (words::thousands(listed.rules as u64)) }
                        td.number data-label="Versions kept" { (words::thousands(listed.kept as u64)) }
                        td data-label="Saved here" {
                            @match &listed.read_only {
                                None => "yes",
                                Some(why) => { "no: " (words::long(why)) }
                            }
                        }
                    }
                } }
            } }
        }
    }

    fn new_file(&self) -> Markup {
        let open: Vec<&RulesFolder> =
            self.folders.iter().filter(|folder| folder.read_only.is_none()).collect();
        html! {
            section aria-labelledby="new" {
                h2 id="new" { "New file" }
                @if open.is_empty() {
                    @match self.folders.iter().find_map(|folder| folder.read_only.as_ref()) {
                        Some(why) => p.quiet { (words::long(why)) },
                        None => p.quiet { "Files are made in folders that " code { "rules:" } " names; it names none." },
                    }
                } @else {
                    form.new method="post" action="edit/new" {
                        input type="hidden" name="token" value=(self.token);
                        label for="folder" { "Folder" }
                        select id="folder" name="folder" {
                            @for folder in open { option value=(folder.name) { (words::short(&folder.name)) } }
                        }
                        label for="name" { "Name" }
                        input id="name" name="name" required maxlength="100" placeholder="queue.yaml" autocomplete="off"
                            autocapitalize="off" spellcheck="false";
                        div.choices { button type="submit" { "Make" } }
                    }
                }
            }
        }
    }

    fn removed(&self) -> Markup {
        html! {
            section aria-labelledby="removed" {
                h2 id="removed" { "Removed files" }
                ul.waiting { @for file in &self.removed {
                    li {
                        bdi { (words::short(&file.name)) }
                        span.quiet { (words::count(usize::try_from(file.version.bytes).unwrap_or(usize::MAX), "byte")) }
                        form method="post" action="edit/bring-back" {
                            input type="hidden" name="file" value=(file.name);
                            input type="hidden" name="token" value=(self.token);
                            button.second type="submit" { "Bring back" span.unseen { " " (words::short(&file.name)) } }
                        }
                    }
                } }
            }
        }
    }
}
