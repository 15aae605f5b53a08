//! From the tokens of a template to its tree, as Go's `text/template/parse` reads them.

mod words;

use std::ops::Range;
use std::sync::Arc;

use super::SyntaxError;
use super::lex::{Keyword, Token, TokenKind, Wrong, tokens};
use super::quote::{self, quoted};
use super::syntax::{Arm, Branches, Loop, Node, TemplateCall, Tree};

/// How deep actions and parentheses may nest.
pub(super) const NESTING_MAX: usize = 100;

/// What is wrong, and where.
type Refused = (SyntaxError, Range<usize>);

type Parsed<T> = Result<T, Refused>;

/// What stands where a list of nodes ends.
enum Ending {
    End,
    /// The `if` or `with` that follows it, or none.
    Else(Option<Keyword>),
}

/// What a part of a template is, as errors call it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Command,
    Parentheses,
    If,
    With,
    Range,
    Block,
    Template,
}

impl Context {
    fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Parentheses => "parenthesized pipeline",
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
            Self::Block => "block clause",
            Self::Template => "template clause",
        }
    }
}

/// Parses a template in which `variables` are there.
pub(super) fn parse(text: &str, variables: &[&str]) -> Parsed<Tree> {
    let variables = variables.iter().map(|name| Arc::from(*name)).collect();
    let mut parser =
        Parser { text, tokens: tokens(text), at: 0, variables, loops: 0, depth: 0, tree: Tree::default() };
    parser.tree.body = parser.all()?;
    Ok(parser.tree)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    /// The variables that are there.
    variables: Vec<Arc<str>>,
    /// How many `range` are open.
    loops: usize,
    depth: usize,
    tree: Tree,
}

impl Parser<'_> {
    fn all(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next_word();
            let span = token.span.clone();
            if token.kind == TokenKind::End {
                return Ok(nodes);
            }
            let opens = token.kind == TokenKind::LeftDelimiter;
            if opens && self.peek_word().kind == TokenKind::Keyword(Keyword::Define) {
                self.next_word();
                self.definition()?;
                continue;
            }
            match self.piece(token)? {
                Piece::Node(node) => nodes.push(node),
                Piece::Ending(Ending::End) => {
                    return Err((SyntaxError::Unexpected("{{end}}".into()), span));
                }
                Piece::Ending(Ending::Else(_)) => {
                    return Err((SyntaxError::Unexpected("{{else}}".into()), span));
                }
            }
        }
    }

    fn definition(&mut self) -> Parsed<()> {
        let token = self.next_word();
        let name = self.template_name(&token, "define clause")?;
        self.expect(TokenKind::RightDelimiter, "define clause")?;
        let outer = std::mem::replace(&mut self.variables, vec![Arc::from("$")]);
        let (body, ending, span) = self.list()?;
        self.variables = outer;
        if matches!(ending, Ending::Else(_)) {
            return Err((SyntaxError::Unexpected("{{else}} in define clause".into()), span));
        }
        self.define(name, body, token.span)
    }

    fn define(&mut self, name: Arc<str>, body: Vec<Node>, span: Range<usize>) -> Parsed<()> {
        match self.tree.defined.get_mut(&name) {
            Some(known) if !is_blank(known) => {
                if !is_blank(&body) {
                    return Err((SyntaxError::DefinedTwice(quoted(&name)), span));
                }
            }
            Some(known) => *known = body,
            None => {
                self.tree.defined.insert(name, body);
            }
        }
        Ok(())
    }

    /// The nodes up to an `end` or an `else`, which is returned with its place.
    fn list(&mut self) -> Parsed<(Vec<Node>, Ending, Range<usize>)> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err((SyntaxError::TooDeep, self.token(self.at).span));
        }
        let mut nodes = Vec::new();
        loop {
            let token = self.next_word();
            let span = token.span.clone();
            if token.kind == TokenKind::End {
                return Err((SyntaxError::UnclosedBlock, span));
            }
            match self.piece(token)? {
                Piece::Node(node) => nodes.push(node),
                Piece::Ending(ending) => {
                    self.depth -= 1;
                    return Ok((nodes, ending, span));
                }
            }
        }
    }

    fn piece(&mut self, token: Token) -> Parsed<Piece> {
        if token.kind == TokenKind::LeftDelimiter {
            return self.action();
        }
        if token.kind != TokenKind::Text {
            return Err(self.unexpected(&token, "input"));
        }
        let text = self.text.get(token.span).unwrap_or("");
        Ok(Piece::Node(Node::Text(Arc::from(text))))
    }

    fn action(&mut self) -> Parsed<Piece> {
        let token = self.next_word();
        let TokenKind::Keyword(keyword) = token.kind else {
            self.at -= 1;
            return Ok(Piece::Node(Node::Action(self.pipe(Context::Command, TokenKind::RightDelimiter)?)));
        };
        let node = match keyword {
            Keyword::End => {
                self.expect(TokenKind::RightDelimiter, "end")?;
                return Ok(Piece::Ending(Ending::End));
            }
            Keyword::Else => return self.otherwise().map(Piece::Ending),
            Keyword::If => Node::If(self.branches(Context::If)?),
            Keyword::With => Node::With(self.branches(Context::With)?),
            Keyword::Range => Node::Range(self.range()?),
            Keyword::Block => Node::Call(self.block()?),
            Keyword::Template => Node::Call(self.call()?),
            Keyword::Break => self.leave(&token, Node::Break, "break")?,
            Keyword::Continue => self.leave(&token, Node::Continue, "continue")?,
            Keyword::Define | Keyword::Dot | Keyword::Nil => {
                self.at -= 1;
                Node::Action(self.pipe(Context::Command, TokenKind::RightDelimiter)?)
            }
        };
        Ok(Piece::Node(node))
    }

    fn leave(&mut self, token: &Token, node: Node, word: &str) -> Parsed<Node> {
        let next = self.next_word();
        if next.kind != TokenKind::RightDelimiter {
            return Err(self.unexpected(&next, &format!("{{{{{word}}}}}")));
        }
        if self.loops == 0 {
            return Err((SyntaxError::OutsideRange(word.to_owned()), token.span.clone()));
        }
        Ok(node)
    }

    fn otherwise(&mut self) -> Parsed<Ending> {
        let next = self.peek_word();
        let chained = [Keyword::If, Keyword::With]
            .into_iter()
            .find(|keyword| next.kind == TokenKind::Keyword(*keyword));
        if chained.is_none() {
            self.expect(TokenKind::RightDelimiter, "else")?;
        }
        Ok(Ending::Else(chained))
    }

    /// `if` or `with`, with every `else if` or `else with` of it.
    fn branches(&mut self, context: Context) -> Parsed<Branches> {
        let keyword = if context == Context::If { Keyword::If } else { Keyword::With };
        let known = self.variables.len();
        let mut branches = Branches { arms: Vec::new(), otherwise: None };
        loop {
            let pipe = self.pipe(context, TokenKind::RightDelimiter)?;
            let (body, ending, span) = self.list()?;
            branches.arms.push(Arm { pipe, body });
            match ending {
                Ending::End => break,
                Ending::Else(Some(word)) if word == keyword => {
                    self.next_word();
                }
                Ending::Else(Some(word)) => {
                    let unexpected = if word == Keyword::If { "<if> in input" } else { "<with> in else" };
                    return Err((SyntaxError::Unexpected(unexpected.into()), span));
                }
                Ending::Else(None) => {
                    branches.otherwise = Some(self.last_list()?);
                    break;
                }
            }
        }
        self.variables.truncate(known);
        Ok(branches)
    }

    /// The list behind an `else`, which only an `end` ends.
    fn last_list(&mut self) -> Parsed<Vec<Node>> {
        let (body, ending, span) = self.list()?;
        match ending {
            Ending::End => Ok(body),
            Ending::Else(_) => Err((SyntaxError::SecondElse, span)),
        }
    }

    fn range(&mut self) -> Parsed<Loop> {
        let known = self.variables.len();
        let pipe = self.pipe(Context::Range, TokenKind::RightDelimiter)?;
        self.loops += 1;
        let (body, ending, span) = self.list()?;
        self.loops -= 1;
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else(None) => Some(self.last_list()?),
            Ending::Else(Some(_)) => {
                return Err((SyntaxError::Unexpected("<if> in input".into()), span));
            }
        };
        self.variables.truncate(known);
        Ok(Loop { pipe, body, otherwise })
    }

    fn block(&mut self) -> Parsed<TemplateCall> {
        let token = self.next_word();
        let name = self.template_name(&token, Context::Block.name())?;
        let pipe = self.pipe(Context::Block, TokenKind::RightDelimiter)?;
        let outer = std::mem::replace(&mut self.variables, vec![Arc::from("$")]);
        let loops = std::mem::take(&mut self.loops);
        let (body, ending, span) = self.list()?;
        (self.variables, self.loops) = (outer, loops);
        if matches!(ending, Ending::Else(_)) {
            return Err((SyntaxError::Unexpected("{{else}} in block clause".into()), span));
        }
        self.define(name.clone(), body, token.span.clone())?;
        Ok(TemplateCall { at: token.span.start, name, pipe: Some(pipe) })
    }

    fn call(&mut self) -> Parsed<TemplateCall> {
        let token = self.next_word();
        let name = self.template_name(&token, Context::Template.name())?;
        let pipe = if self.peek_word().kind == TokenKind::RightDelimiter {
            self.next_word();
            None
        } else {
            Some(self.pipe(Context::Template, TokenKind::RightDelimiter)?)
        };
        Ok(TemplateCall { at: token.span.start, name, pipe })
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parsed<Arc<str>> {
        if matches!(token.kind, TokenKind::QuotedText | TokenKind::RawText) {
            self.unquote(token).map(Arc::from)
        } else {
            Err(self.unexpected(token, context))
        }
    }

    fn unquote(&self, token: &Token) -> Parsed<String> {
        quote::unquoted(self.written(token)).ok_or((SyntaxError::InvalidSyntax, token.span.clone()))
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<()> {
        let token = self.next_word();
        if token.kind == kind { Ok(()) } else { Err(self.unexpected(&token, context)) }
    }

    fn unexpected(&self, token: &Token, context: &str) -> Refused {
        let written = self.written(token);
        let error = if let TokenKind::Wrong(Wrong::BadNumber) = token.kind {
            SyntaxError::BadNumber(quoted(written))
        } else if let TokenKind::Wrong(wrong) = token.kind {
            SyntaxError::NoToken(wrong)
        } else if token.kind == TokenKind::End {
            SyntaxError::Unexpected(format!("EOF in {context}"))
        } else if let TokenKind::Keyword(_) = token.kind {
            SyntaxError::Unexpected(format!("<{written}> in {context}"))
        } else if written.len() > 10 {
            let short: String = written.chars().take(10).collect();
            SyntaxError::Unexpected(format!("{}... in {context}", quoted(&short)))
        } else {
            SyntaxError::Unexpected(format!("{} in {context}", quoted(written)))
        };
        (error, token.span.clone())
    }

    fn written(&self, token: &Token) -> &str {
        self.text.get(token.span.clone()).unwrap_or("")
    }

    /// The token at an index; past the last one it is the last one again.
    fn token(&self, index: usize) -> Token {
        let end = Token { kind: TokenKind::End, span: self.text.len()..self.text.len() };
        self.tokens.get(index).or(self.tokens.last()).cloned().unwrap_or(end)
    }

    fn next(&mut self) -> Token {
        let token = self.token(self.at);
        self.at += 1;
        token
    }

    fn skip_spaces(&mut self) {
        while self.token(self.at).kind == TokenKind::Space {
            self.at += 1;
        }
    }

    fn next_word(&mut self) -> Token {
        self.skip_spaces();
        self.next()
    }

    fn peek_word(&mut self) -> Token {
        self.skip_spaces();
        self.token(self.at)
    }
}

/// A node, or what ends a list of them.
enum Piece {
    Node(Node),
    Ending(Ending),
}

/// Whether there is nothing in a template but space.
fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}
