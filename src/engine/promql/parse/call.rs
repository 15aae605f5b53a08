//! Function calls and aggregations.

use super::suggest::nearest;
use super::{Parsed, Parser, grown};
use crate::engine::pattern::Pattern;
use crate::engine::promql::ParseError;
use crate::engine::promql::ast::{Aggregate, AggregateOp, Expr, Grouping, Node};
use crate::engine::promql::check::{self, advise, error};
use crate::engine::promql::functions::{self, Function};
use crate::engine::promql::lexer::{Token, TokenKind};

impl Parser<'_> {
    /// The aggregation that begins here; its name alone may also be a metric's.
    pub(super) fn aggregation_ahead(&self) -> Option<AggregateOp> {
        let op = AggregateOp::ALL.into_iter().find(|op| self.is_keyword(op.name()))?;
        let grouped =
            self.word(1).is_some_and(|word| ["by", "without"].iter().any(|by| by.eq_ignore_ascii_case(word)));
        (grouped || self.ahead(1).kind == TokenKind::LeftParen).then_some(op)
    }

    pub(super) fn aggregation(&mut self, op: AggregateOp) -> Result<Parsed, ParseError> {
        let name = self.take();
        let before = self.group_clause()?;
        if self.kind() != TokenKind::LeftParen {
            return Err(self.unexpected("aggregation", "\"(\""));
        }
        let (args, _, height) = self.arguments("aggregation")?;
        let grouping = match before {
            Some(grouping) => grouping,
            None => self.group_clause()?.unwrap_or(Grouping::By(Vec::new())),
        };
        let end = self.end_of_last();
        let (param, expr) = aggregation_arguments(op, args, &name)?;
        let aggregate = Aggregate { op, expr, param, grouping };
        check::aggregate(&aggregate)?;
        grown(name.span.start..end, Node::Aggregate(Box::new(aggregate)), height)
    }

    fn group_clause(&mut self) -> Result<Option<Grouping>, ParseError> {
        if self.take_keyword("by").is_some() {
            Ok(Some(Grouping::By(self.grouping()?)))
        } else if self.take_keyword("without").is_some() {
            Ok(Some(Grouping::Without(self.grouping()?)))
        } else {
            Ok(None)
        }
    }

    pub(super) fn call(&mut self) -> Result<Parsed, ParseError> {
        let name = self.take();
        let function = find(self.slice(&name.span)).map_err(|(message, advice)| ParseError {
            span: name.span.clone(),
            message,
            advice,
        })?;
        let (args, close, height) = self.arguments("function call")?;
        check::call(function, &args, &name.span)?;
        if let ("label_replace", Some(Node::String(pattern))) =
            (function.name, args.get(4).map(|arg| &arg.node))
        {
            // A wrong pattern is the evaluation's to refuse, as in Prometheus; here it is paid for.
            let paid = self.patterns.anchored(pattern.text());
            if let (Err(wrong), true) = (paid, Pattern::anchored(pattern.text()).is_ok()) {
                return Err(error(name.span, wrong.to_string()));
            }
        }
        grown(name.span.start..close.span.end, Node::Call { function, args }, height)
    }

    /// Expressions in parentheses, the closing one, and the greatest height among them.
    fn arguments(&mut self, place: &str) -> Result<(Vec<Expr>, Token, usize), ParseError> {
        let open = self.take();
        let (mut args, mut height) = (Vec::new(), 0);
        if let Some(close) = self.take_if(TokenKind::RightParen) {
            return Ok((args, close, height));
        }
        loop {
            let arg = self.expression(0)?;
            height = height.max(arg.height);
            args.push(arg.expr);
            let Some(comma) = self.take_if(TokenKind::Comma) else { break };
            if self.kind() == TokenKind::RightParen {
                return Err(error(comma.span, "trailing commas not allowed in function call args"));
            }
        }
        let close = self.close(&open, place)?;
        Ok((args, close, height))
    }
}

/// The parameter and the expression of an aggregation.
fn aggregation_arguments(
    op: AggregateOp,
    args: Vec<Expr>,
    name: &Token,
) -> Result<(Option<Expr>, Expr), ParseError> {
    let wanted = 1 + usize::from(op.param().is_some());
    let given = args.len();
    if given == 0 {
        return Err(error(name.span.clone(), "no arguments for aggregate expression provided"));
    }
    let mut args = args.into_iter();
    match (op.param(), args.next(), args.next(), args.next()) {
        (None, Some(expr), None, None) => Ok((None, expr)),
        (Some(_), Some(param), Some(expr), None) => Ok((Some(param), expr)),
        _ => Err(advise(
            name.span.clone(),
            format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {given}"
            ),
            match op.param() {
                Some(param) => format!("Write {}({}, instant vector).", op.name(), param.name()),
                None => format!("Write {}(instant vector).", op.name()),
            },
        )),
    }
}

/// The function of this name; otherwise what is wrong and what to do.
fn find(name: &str) -> Result<&'static Function, (String, Option<String>)> {
    // These double as keywords, which Prometheus reads in any case.
    const KEYWORDS: [&str; 6] = ["start", "end", "step", "range", "min_of", "max_of"];
    let keyword = KEYWORDS.into_iter().find(|keyword| keyword.eq_ignore_ascii_case(name));
    if let Some(function) = functions::find(keyword.unwrap_or(name)) {
        return Ok(function);
    }
    let known = functions::all().iter().map(|function| function.name);
    let near = nearest(name, known.chain(AggregateOp::ALL.map(AggregateOp::name)));
    let advice = near.map(|near| format!("Did you mean {near}?"));
    Err((format!("unknown function with name \"{name}\""), advice))
}
