//! Which data source a query is for: only Prometheus' queries are PromQL.

use crate::engine::yaml::Node;

/// The plug-ins that speak PromQL as Prometheus does.
const PROMETHEUS: [&str; 3] =
    ["prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource"];

/// Functions that only Loki has, beside the pipes that PromQL does not know.
const LOKI_FUNCTIONS: [&str; 5] =
    ["bytes_over_time", "bytes_rate", "rate_counter", "first_over_time", "approx_topk"];

/// What answers a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataSource {
    /// Prometheus.
    Prometheus,
    /// Something else.
    Other,
    /// Whatever the Grafana it is imported to has for it.
    Unknown,
}

impl DataSource {
    /// Whether a query is PromQL there.
    pub(super) fn takes_promql(self, query: &str) -> bool {
        match self {
            Self::Prometheus => true,
            Self::Other => false,
            Self::Unknown => !is_log_query(query),
        }
    }
}

/// Whether a query can only be one for Loki.
fn is_log_query(query: &str) -> bool {
    let mut quote = None;
    let mut outside = String::new();
    let mut characters = query.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some('"'), '\\') => drop(characters.next()),
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(character),
            (None, _) => outside.push(character),
        }
    }
    outside.contains('|') || LOKI_FUNCTIONS.iter().any(|name| outside.contains(&format!("{name}(")))
}

/// The data sources of one dashboard by the names of its variables and inputs.
pub(super) struct DataSources<'a> {
    named: Vec<(&'a str, DataSource)>,
}

impl<'a> DataSources<'a> {
    /// Reads the dashboard's variables of type `datasource` and the inputs of its export.
    pub(super) fn of(dashboard: &'a Node) -> Self {
        let variables = dashboard.get("templating").and_then(|part| part.get("list"));
        let classic = variables.map_or(&[][..], Node::elements).iter().filter_map(|variable| {
            let is_source = variable.get("type").and_then(Node::text) == Some("datasource");
            is_source.then(|| Some((text(variable, "name")?, plugin(text(variable, "query")?))))?
        });
        let inputs = dashboard.get("__inputs").map_or(&[][..], Node::elements).iter().filter_map(|input| {
            let source = input.get("pluginId").and_then(Node::text).map_or(DataSource::Unknown, plugin);
            Some((text(input, "name")?, source))
        });
        let kinds =
            dashboard.get("variables").map_or(&[][..], Node::elements).iter().filter_map(|variable| {
                let spec = variable.get("spec")?;
                let is_source = text(variable, "kind") == Some("DatasourceVariable");
                is_source.then(|| Some((text(spec, "name")?, plugin(text(spec, "pluginId")?))))?
            });
        Self { named: classic.chain(inputs).chain(kinds).collect() }
    }

    /// The data source of a panel, target, variable or annotation, or what it inherits.
    pub(super) fn find(&self, node: &Node, inherited: DataSource) -> DataSource {
        let Some(reference) = node.get("datasource").filter(|reference| !reference.is_null()) else {
            return inherited;
        };
        if let Some(name) = reference.text() {
            return self.by_name(name, inherited);
        }
        match (text(reference, "uid").or(text(reference, "name")), text(reference, "type")) {
            // Each target of a mixed panel names its own.
            (Some("-- Mixed --"), _) => DataSource::Unknown,
            (_, Some(kind)) => plugin(kind),
            (Some(name), None) => self.by_name(name, inherited),
            (None, None) => inherited,
        }
    }

    fn by_name(&self, name: &str, inherited: DataSource) -> DataSource {
        let variable = name
            .strip_prefix("${")
            .and_then(|name| name.strip_suffix('}'))
            .or_else(|| name.strip_prefix("[[").and_then(|name| name.strip_suffix("]]")))
            .or_else(|| name.strip_prefix('$'));
        if let Some(variable) = variable {
            let variable = variable.split(':').next().unwrap_or_default();
            let found = self.named.iter().find(|(known, _)| *known == variable);
            return found.map_or(DataSource::Unknown, |(_, source)| *source);
        }
        match name.to_ascii_lowercase().as_str() {
            "-- mixed --" => DataSource::Unknown,
            "-- grafana --" | "-- dashboard --" => DataSource::Other,
            "" | "default" => inherited,
            "prometheus" => DataSource::Prometheus,
            name if name.contains("loki") => DataSource::Other,
            _ => DataSource::Unknown,
        }
    }
}

/// What a plug-in of this name is.
pub(super) fn plugin(name: &str) -> DataSource {
    if PROMETHEUS.contains(&name) { DataSource::Prometheus } else { DataSource::Other }
}

fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key).and_then(Node::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_promql_has_no_word_for_is_a_log_query() {
        let cases = [
            ("{app=\"a\"} |= \"error\"", true),
            ("sum(rate({app=\"a\"} | json | level=`x` [5m]))", true),
            ("bytes_rate({app=\"a\"}[5m])", true),
            ("rate({app=\"a|b\"}[5m])", false),
            ("a{b=~\"x|\\\"|y\"}", false),
        ];
        for (query, expected) in cases {
            assert_eq!(is_log_query(query), expected, "{query}");
        }
    }
}
