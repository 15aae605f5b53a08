//! The page's style, scripts and icon: files of the source tree, served under a path of their own.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::shell::http::answers;

/// A file that pages refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// How the page looks.
pub(super) const PAGE_CSS: Asset =
    Asset { name: "page.css", content_type: STYLE, text: include_str!("assets/page.css") };
/// Morphs what is live (idiomorph, Zero-Clause BSD, beside its licence).
pub(super) const IDIOMORPH: Asset = Asset {
    name: "idiomorph-0.8.0.min.js",
    content_type: SCRIPT,
    text: include_str!("assets/idiomorph-0.8.0.min.js"),
};
/// Shows times in the time zone of whoever looks.
pub(super) const TIMES_JS: Asset =
    Asset { name: "times.js", content_type: SCRIPT, text: include_str!("assets/times.js") };
/// Keeps pages live.
pub(super) const LIVE_JS: Asset =
    Asset { name: "live.js", content_type: SCRIPT, text: include_str!("assets/live.js") };
/// Completes names in the query box.
pub(super) const QUERY_JS: Asset =
    Asset { name: "query.js", content_type: SCRIPT, text: include_str!("assets/query.js") };
/// The editor of rule files (`CodeMirror` 6, MIT, beside its licences; made by `scripts/vendor-editor`).
pub(super) const CODEMIRROR: Asset = Asset {
    name: "codemirror-6.min.js",
    content_type: SCRIPT,
    text: include_str!("assets/codemirror-6.min.js"),
};
/// Puts the editor in the place of a form's text.
pub(super) const EDIT_JS: Asset =
    Asset { name: "edit.js", content_type: SCRIPT, text: include_str!("assets/edit.js") };
/// The icon.
pub(super) const ICON: Asset =
    Asset { name: "icon.svg", content_type: "image/svg+xml", text: include_str!("assets/icon.svg") };

const ALL: [Asset; 8] = [PAGE_CSS, IDIOMORPH, TIMES_JS, LIVE_JS, QUERY_JS, CODEMIRROR, EDIT_JS, ICON];

/// One hash of all of them, which their addresses carry: another build has other addresses.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let bytes = ALL.iter().flat_map(|asset| asset.text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
});

impl Asset {
    /// Its address below the root.
    pub(super) fn address(self) -> String {
        format!("assets/{}?v={}", self.name, *VERSION)
    }
}

/// `GET /assets/NAME`: for ever where the address names this build's version, else to be asked for again.
pub(super) async fn serve(Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(asset) = ALL.iter().find(|asset| asset.name == name) else {
        return answers::not_found(uri).await;
    };
    // Weak, as the bytes are others where they are packed.
    let tag = format!("W/\"{}\"", *VERSION);
    let is_current = uri.query() == Some(&format!("v={}", *VERSION));
    let caching = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let head = [
        (CONTENT_TYPE, asset.content_type),
        (CACHE_CONTROL, caching),
        (ETAG, tag.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, asset.text).into_response()
}

/// The classes of a page that the style says nothing of.
#[cfg(test)]
pub(super) fn unstyled(html: &str) -> std::collections::BTreeSet<&str> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    let styled: std::collections::BTreeSet<&str> = PAGE_CSS
        .text
        .split('.')
        .skip(1)
        .filter_map(|rest| rest.split(|letter| !is_name(letter)).next())
        .collect();
    let lists = html.split(" class=\"").skip(1).filter_map(|rest| rest.split('"').next());
    lists.flat_map(str::split_whitespace).filter(|class| !styled.contains(class)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn the_editor_is_made_of_the_versions_that_are_locked() {
        let lock: Value =
            serde_json::from_str(include_str!("../../../../scripts/lib/editor/package-lock.json")).unwrap();
        let told = include_str!("assets/codemirror-LICENSES.txt");
        let mut count = 0;
        for (path, found) in lock["packages"].as_object().unwrap() {
            let Some(name) = path.strip_prefix("node_modules/").filter(|_| found["dev"] != true) else {
                continue;
            };
            if found["optional"] == true {
                continue;
            }
            count += 1;
            let line = format!("  {name} {} (MIT)\n", found["version"].as_str().unwrap());
            assert!(told.contains(&line), "{line} is missing: run scripts/vendor-editor");
        }
        assert!(
            count > 10 && told.matches(" (MIT)\n").count() == count,
            "{count}: run scripts/vendor-editor"
        );
    }
}
