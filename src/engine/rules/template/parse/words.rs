//! Reads what stands inside of actions: pipes, commands, words.

use std::sync::Arc;

use super::super::functions::{self, Function};
use super::super::lex::{Keyword, Token, TokenKind};
use super::super::number::{self, BadNumber};
use super::super::quote::{self, BadCharacter, quoted};
use super::super::syntax::{Binding, Command, Constant, Fields, Number, Operand, OperandKind, Pipe};
use super::{Context, NESTING_MAX, Parsed, Parser, SyntaxError};

impl Parser<'_> {
    pub(super) fn pipe(&mut self, context: Context, end: TokenKind) -> Parsed<Pipe> {
        let at = self.peek_word().span.start;
        let mut pipe = Pipe { at, binding: Binding::Declare, variables: Vec::new(), commands: Vec::new() };
        self.bindings(&mut pipe, context)?;
        loop {
            let token = self.next_word();
            if token.kind == end {
                check(&pipe, context, &token)?;
                return Ok(pipe);
            }
            if !begins_operand(token.kind) {
                return Err(self.unexpected(&token, context.name()));
            }
            self.at -= 1;
            pipe.commands.push(self.command()?);
        }
    }

    /// `$x :=`, `$x =`, or `$x, $y :=` of a `range`.
    fn bindings(&mut self, pipe: &mut Pipe, context: Context) -> Parsed<()> {
        loop {
            let before = self.at;
            let variable = self.next_word();
            let next = self.next_word();
            let is_comma = next.kind == TokenKind::Other && self.written(&next) == ",";
            let binds = matches!(next.kind, TokenKind::Assign | TokenKind::Declare) || is_comma;
            if variable.kind != TokenKind::Variable || !binds {
                self.at = before;
                return Ok(());
            }
            let name: Arc<str> = Arc::from(self.written(&variable));
            pipe.variables.push(name.clone());
            self.variables.push(name);
            if !is_comma {
                pipe.binding =
                    if next.kind == TokenKind::Assign { Binding::Assign } else { Binding::Declare };
                return Ok(());
            }
            if context != Context::Range || pipe.variables.len() > 1 {
                let error = SyntaxError::TooManyVariables(context.name());
                return Err((error, variable.span));
            }
            let follows = self.peek_word();
            let fits = [TokenKind::Variable, TokenKind::RightDelimiter, TokenKind::RightParenthesis];
            if !fits.contains(&follows.kind) {
                return Err((SyntaxError::RangeInitialisesVariables, follows.span));
            }
        }
    }

    /// Words up to a bar, which is taken, or the end of the pipe, which is not.
    fn command(&mut self) -> Parsed<Command> {
        let at = self.peek_word().span.start;
        let mut words = Vec::new();
        loop {
            self.skip_spaces();
            words.extend(self.operand()?);
            let token = self.next();
            if token.kind == TokenKind::Space {
                continue;
            }
            if matches!(token.kind, TokenKind::RightDelimiter | TokenKind::RightParenthesis) {
                self.at -= 1;
            } else if token.kind != TokenKind::Bar {
                return Err(self.unexpected(&token, "operand"));
            }
            let mut words = words.into_iter();
            let Some(first) = words.next() else { return Err((SyntaxError::EmptyCommand, token.span)) };
            return Ok(Command { at, first, rest: words.collect() });
        }
    }

    /// A term with the fields behind it.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let chain_at = self.token(self.at).span.start;
        let mut names = Vec::new();
        while self.token(self.at).kind == TokenKind::Field {
            let token = self.next();
            names.push(self.field_name(&token));
        }
        if names.is_empty() {
            return Ok(Some(term));
        }
        let kind = match term.kind {
            OperandKind::Field(mut fields) => {
                for name in names {
                    fields.push(name);
                }
                OperandKind::Field(fields)
            }
            OperandKind::Variable { name, mut fields } => {
                fields.extend(names);
                OperandKind::Variable { name, fields }
            }
            OperandKind::Bool(_)
            | OperandKind::Text { .. }
            | OperandKind::Number(_)
            | OperandKind::Nil
            | OperandKind::Dot => {
                let error = SyntaxError::FieldOfConstant(quoted(&term.to_string()));
                return Err((error, term.at..chain_at));
            }
            OperandKind::Function(_) | OperandKind::Chain { .. } | OperandKind::Pipe(_) => {
                let mut names = names.into_iter();
                let Some(first) = names.next() else { return Ok(Some(term)) };
                let mut fields = Fields::one(first);
                for name in names {
                    fields.push(name);
                }
                OperandKind::Chain { of: Box::new(term), fields }
            }
        };
        Ok(Some(Operand { at: chain_at, kind }))
    }

    fn field_name(&self, token: &Token) -> Arc<str> {
        let written = self.written(token);
        Arc::from(written.strip_prefix('.').unwrap_or(written))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.next_word();
        let at = token.span.start;
        if let TokenKind::Wrong(_) = token.kind {
            return Err(self.unexpected(&token, "operand"));
        }
        if !begins_operand(token.kind) {
            self.at -= 1;
            return Ok(None);
        }
        let kind = self.operand_kind(&token)?;
        let at = if let OperandKind::Pipe(pipe) = &kind { pipe.at } else { at };
        Ok(Some(Operand { at, kind }))
    }

    /// The operand that a token begins.
    fn operand_kind(&mut self, token: &Token) -> Parsed<OperandKind> {
        Ok(match token.kind {
            TokenKind::Identifier => OperandKind::Function(self.function(token)?),
            TokenKind::Keyword(Keyword::Dot) => OperandKind::Dot,
            TokenKind::Keyword(Keyword::Nil) => OperandKind::Nil,
            TokenKind::Variable => self.variable(token)?,
            TokenKind::Field => OperandKind::Field(Fields::one(self.field_name(token))),
            TokenKind::Bool => OperandKind::Bool(self.written(token) == "true"),
            TokenKind::Character | TokenKind::Complex | TokenKind::Number => {
                OperandKind::Number(self.number(token)?)
            }
            TokenKind::LeftParenthesis => self.parentheses(token)?,
            TokenKind::QuotedText | TokenKind::RawText => {
                let text = self.unquote(token)?;
                OperandKind::Text { written: Arc::from(self.written(token)), text: Arc::from(text) }
            }
            TokenKind::Wrong(_)
            | TokenKind::Other
            | TokenKind::Assign
            | TokenKind::Declare
            | TokenKind::End
            | TokenKind::LeftDelimiter
            | TokenKind::Bar
            | TokenKind::RightDelimiter
            | TokenKind::RightParenthesis
            | TokenKind::Space
            | TokenKind::Text
            | TokenKind::Keyword(_) => return Err(self.unexpected(token, "operand")),
        })
    }

    fn parentheses(&mut self, token: &Token) -> Parsed<OperandKind> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err((SyntaxError::TooDeep, token.span.clone()));
        }
        let pipe = self.pipe(Context::Parentheses, TokenKind::RightParenthesis)?;
        self.depth -= 1;
        Ok(OperandKind::Pipe(Box::new(pipe)))
    }

    fn function(&self, token: &Token) -> Parsed<&'static Function> {
        let name = self.written(token);
        let missing = || (SyntaxError::UnknownFunction(name.to_owned()), token.span.clone());
        functions::find(name).ok_or_else(missing)
    }

    fn variable(&self, token: &Token) -> Parsed<OperandKind> {
        let name = self.written(token);
        if !self.variables.iter().any(|known| known.as_ref() == name) {
            return Err((SyntaxError::UndefinedVariable(name.to_owned()), token.span.clone()));
        }
        Ok(OperandKind::Variable { name: Arc::from(name), fields: Vec::new() })
    }

    fn number(&self, token: &Token) -> Parsed<Number> {
        let written = self.written(token);
        let is = if token.kind == TokenKind::Character {
            quote::character(written).map(Constant::Int).map_err(|bad| match bad {
                BadCharacter::Syntax => SyntaxError::InvalidSyntax,
                BadCharacter::Malformed => SyntaxError::MalformedCharacter(written.to_owned()),
            })
        } else if token.kind == TokenKind::Complex {
            number::complex(written).map_err(|_| SyntaxError::InvalidSyntax)
        } else {
            number::constant(written).map_err(|bad| match bad {
                BadNumber::Syntax => SyntaxError::IllegalNumber(quoted(written)),
                BadNumber::Overflow => SyntaxError::IntegerOverflow(quoted(written)),
            })
        };
        let is = is.map_err(|error| (error, token.span.clone()))?;
        Ok(Number { written: Arc::from(written), is })
    }
}

/// Whether a pipe is there, and only its first command is a constant.
fn check(pipe: &Pipe, context: Context, end: &Token) -> Parsed<()> {
    if pipe.commands.is_empty() {
        return Err((SyntaxError::MissingValue(context.name()), end.span.clone()));
    }
    for (index, command) in pipe.commands.iter().enumerate().skip(1) {
        let is_constant = match command.first.kind {
            OperandKind::Bool(_)
            | OperandKind::Dot
            | OperandKind::Nil
            | OperandKind::Number(_)
            | OperandKind::Text { .. } => true,
            OperandKind::Field(_)
            | OperandKind::Variable { .. }
            | OperandKind::Function(_)
            | OperandKind::Chain { .. }
            | OperandKind::Pipe(_) => false,
        };
        if is_constant {
            let at = command.at;
            return Err((SyntaxError::NotExecutable(index + 1), at..end.span.start.max(at)));
        }
    }
    Ok(())
}

fn begins_operand(kind: TokenKind) -> bool {
    match kind {
        TokenKind::Bool
        | TokenKind::Character
        | TokenKind::Complex
        | TokenKind::Field
        | TokenKind::Identifier
        | TokenKind::LeftParenthesis
        | TokenKind::Number
        | TokenKind::RawText
        | TokenKind::QuotedText
        | TokenKind::Variable
        | TokenKind::Keyword(Keyword::Dot | Keyword::Nil) => true,
        TokenKind::Wrong(_)
        | TokenKind::Other
        | TokenKind::Assign
        | TokenKind::Declare
        | TokenKind::End
        | TokenKind::LeftDelimiter
        | TokenKind::Bar
        | TokenKind::RightDelimiter
        | TokenKind::RightParenthesis
        | TokenKind::Space
        | TokenKind::Text
        | TokenKind::Keyword(_) => false,
    }
}
