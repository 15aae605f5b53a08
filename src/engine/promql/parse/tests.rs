use proptest::prelude::*;
use regex::Regex;

use super::*;

/// The structure of an expression without its positions.
fn structure(expr: &Expr) -> String {
    let spans = Regex::new(r"(op_)?span: \d+\.\.\d+, ").unwrap();
    spans.replace_all(&format!("{expr:?}"), "").into_owned()
}

fn printed(text: &str) -> String {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

#[test]
fn expressions_print_in_prometheus_style() {
    for (text, expected) in [
        ("1+2*3^4", "1 + 2 * 3 ^ 4"),
        ("-10^3 * - SUM(x) BY (job) ^ -1", "-10 ^ 3 * -sum by (job) (x) ^ -1"),
        ("sum without(a,)(b)", "sum without (a) (b)"),
        ("topk(5, x) by (a, \"b.c\")", "topk by (a, \"b.c\") (5, x)"),
        ("a{b='c', d!=\"\" , e=~`f.*`,g!~'h',}", "a{b=\"c\",d!=\"\",e=~\"f.*\",g!~\"h\"}"),
        ("{\"my.metric\", a=\"b\"}", "{\"my.metric\",a=\"b\"}"),
        ("{__name__='up'}", "{__name__=\"up\"}"),
        ("rate(a[1h30m] offset -5m @ 1.5)", "rate(a[1h30m] @ 1.500 offset -5m)"),
        ("a @ end() offset (step() + 3)", "a @ end() offset (step() + 3)"),
        ("max_over_time(a[1h:] @ start())", "max_over_time(a[1h:] @ start())"),
        ("a + on(b) group_left(c) fill(0) d", "a + on (b) group_left (c) fill (0) d"),
        ("a == bool ignoring(x) fill_right(-Inf) b", "a == bool ignoring (x) fill_right (-Inf) b"),
        ("a or b and c unless d", "a or b and c unless d"),
        ("increase(a[5m] smoothed)", "increase(a[5m] smoothed)"),
        ("a</1 >/2", "a </ 1 >/ 2"),
        ("info(a, {x=~\".*\"})", "info(a, {x=~\".*\"})"),
        ("5m + 0x1F + 1_000 + NaN + inf", "300 + 31 + 1000 + NaN + +Inf"),
        ("a[2m*15]", "a[2m * 15]"),
        ("a[min_of(step(), 5m):MAX_OF(1m, range())]", "a[min_of(step(), 5m):max_of(1m, range())]"),
        ("sum + by # a comment\n + offset", "sum + by + offset"),
        ("STEP() + start()", "step() + start()"),
        ("a atan2 b", "a atan2 b"),
        ("'it\\'s'", "\"it's\""),
        ("metric offset -100 smoothed + 0", "metric smoothed offset -1m40s + 0"),
    ] {
        assert_eq!(printed(text), expected, "{text}");
        assert_eq!(printed(expected), expected, "{text}");
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, same) in [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a ^ b ^ c", "a ^ (b ^ c)"),
        ("a ^ -b ^ c", "a ^ -(b ^ c)"),
        ("a ^ -b * c", "(a ^ -b) * c"),
        ("-a * b", "(-a) * b"),
        ("-a ^ b", "-(a ^ b)"),
        ("a == b + c", "a == (b + c)"),
        ("a or b and c", "a or (b and c)"),
        ("a and b unless c", "(a and b) unless c"),
        ("a % b atan2 c", "(a % b) atan2 c"),
    ] {
        let bare = |text: &str| structure(&parse(text).unwrap());
        // Parentheses are nodes of their own: the same tree without them must remain.
        assert_eq!(bare(text), strip_parens(&parse(same).unwrap()), "{text} is not {same}");
    }
}

fn strip_parens(expr: &Expr) -> String {
    fn strip(expr: &mut Expr) {
        while let Node::Paren(inner) = &expr.node {
            *expr = (**inner).clone();
        }
        if let Node::Unary { expr, .. } = &mut expr.node {
            strip(expr);
        } else if let Node::Binary(binary) = &mut expr.node {
            strip(&mut binary.left);
            strip(&mut binary.right);
        }
    }
    let mut expr = expr.clone();
    strip(&mut expr);
    structure(&expr)
}

/// Text, the bytes at fault, and the beginning of the message.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("", "", "no expression found in input"),
    ("# only a comment", "# only a comment", "no expression found in input"),
    ("sum(a", "(", "unclosed left parenthesis"),
    ("rate(a[5m)", ")", "unexpected right parenthesis ')'"),
    ("a[5m", "[", "unclosed left bracket"),
    ("a{b=\"c\"", "{", "unexpected end of input inside braces"),
    ("a{b=\"c", "\"", "unterminated quoted string"),
    ("a)", ")", "unexpected right parenthesis ')'"),
    ("a +", "", "unexpected end of input"),
    ("a = b", "=", "unexpected \"=\""),
    ("a b", "b", "unexpected identifier \"b\""),
    ("on", "on", "unexpected identifier \"on\""),
    ("rtae(a[5m])", "rtae", "unknown function with name \"rtae\""),
    ("rate(a)", "a", "expected type range vector in call to function \"rate\", got instant vector"),
    ("sum(a[5m])", "a[5m]", "expected type instant vector in aggregation expression, got range vector"),
    ("topk(a, b)", "a", "expected type scalar in aggregation parameter, got instant vector"),
    ("count_values(1, b)", "1", "expected type string in aggregation parameter, got scalar"),
    ("topk(b)", "topk", "wrong number of arguments for aggregate expression provided, expected 2, got 1"),
    ("sum()", "sum", "no arguments for aggregate expression provided"),
    ("rate()", "rate", "expected 1 argument(s) in call to \"rate\", got 0"),
    ("round(a, 1, 2)", "round", "expected at most 2 argument(s) in call to \"round\", got 3"),
    ("label_join(a)", "label_join", "expected at least 3 argument(s) in call to \"label_join\", got 1"),
    ("abs(a,)", ",", "trailing commas not allowed in function call args"),
    ("1 > 2", ">", "comparisons between scalars must use BOOL modifier"),
    ("a + bool b", "+", "bool modifier can only be used on comparison operators"),
    ("1 </ 2", "</", "operator \"</\" not allowed for Scalar operations"),
    ("a and 1", "and", "set operator \"and\" not allowed in binary scalar expression"),
    ("a + on(x) 1", "+", "vector matching only allowed between instant vectors"),
    ("a + fill(0) 1", "+", "filling in missing series only allowed between instant vectors"),
    ("a and fill(0) b", "and", "filling in missing series not allowed for set operators"),
    ("a or on(x) group_left b", "or", "no grouping allowed for \"or\" operation"),
    ("a + on(x) group_left(x) b", "+", "label \"x\" must not occur in ON and GROUP clause at once"),
    ("a + group_left b", "group_left", "unexpected identifier \"group_left\" in vector matching"),
    ("a[5m] + 1", "a[5m]", "binary expression must contain only scalar and instant vector types"),
    ("-a[5m]", "a[5m]", "unary expression only allowed on expressions of type scalar or instant vector"),
    ("-'x'", "'x'", "unary expression only allowed on expressions of type scalar or instant vector"),
    ("{}", "{}", "vector selector must contain at least one non-empty matcher"),
    ("sum({a=~\".*\",b=\"\"})", "{a=~\".*\",b=\"\"}", "vector selector must contain at least one non-empty"),
    ("a{__name__=\"b\"}", "a{__name__=\"b\"}", "metric name must not be set twice: \"a\" or \"b\""),
    ("a{\"b\"}", "\"b\"", "metric name must not be set twice: \"a\" or \"b\""),
    ("a{b=c}", "c", "unexpected identifier \"c\" in label matching, expected string"),
    ("a{b}", "}", "unexpected \"}\" in label matching, expected label matching operator"),
    ("a{b:c=\"d\"}", "b:c", "unexpected identifier \"b:c\" in label matching"),
    ("a{b=~\"(\"}", "\"(\"", "invalid regular expression: unclosed group"),
    ("a{b=\"\\q\"}", "\\", "invalid escape in quoted string"),
    ("a offset 5", "", ""),
    ("sum(a) offset 5m", "offset", "offset modifier must be preceded by an instant vector selector"),
    ("sum(a) @ 5", "@", "@ modifier must be preceded by an instant vector selector"),
    ("a offset 5m offset 5m", "offset", "offset may not be set multiple times per selector"),
    ("a @ 1 @ 2", "@", "@ <timestamp> may not be set multiple times per selector"),
    ("a @ inf", "inf", "timestamp out of bounds for @ modifier"),
    ("a offset 5m[5m]", "[5m]", "no offset modifiers allowed before range"),
    ("a @ 5 [5m]", "[5m]", "no @ modifiers allowed before range"),
    ("sum(a)[5m]", "[5m]", "ranges only allowed for vector selectors"),
    ("1[5m:]", "1", "subquery is only allowed on instant vector, got scalar instead"),
    ("a[0]", "0", "duration must be greater than 0"),
    ("a[5m:-1m]", "-1m", "duration must be greater than 0"),
    ("a[5m / 0]", "/ 0", "division by zero"),
    ("a[5m % (1 - 1)]", "% (1 - 1)", "modulo by zero"),
    ("a[300y]", "300y", "duration out of range"),
    ("a[1m1h]", "1m1h", "not a valid duration string: \"1m1h\""),
    ("a[5]]", "]", "unexpected \"]\""),
    ("a[]", "]", "unexpected \"]\" in subquery or range selector, expected number"),
    ("5x", "5x", "bad number or duration syntax: \"5x\""),
    ("größe", "ö", "unexpected identifier"),
    ("é", "é", "unexpected character: 'é'"),
    ("a $ b", "$", "unexpected character: '$'"),
    ("sum by job (a)", "job", "unexpected identifier \"job\" in grouping opts, expected \"(\""),
    ("sum by (a b) (c)", "b", "unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""),
    ("sum(a) anchored", "anchored", "anchored modifier must be preceded by a selector"),
    ("rate(a[5m] anchored smoothed)", "smoothed", "anchored and smoothed modifiers cannot be used together"),
    (
        "resets(a[3m] smoothed)",
        "a[3m] smoothed",
        "smoothed modifier can only be used with: delta, increase, rate - not with resets",
    ),
    (
        "deriv((a[3m] anchored))",
        "(a[3m] anchored)",
        "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with deriv",
    ),
    ("info(a, b)", "b", "expected label selectors only, got vector selector instead"),
];

#[test]
fn mistakes_point_at_their_bytes_and_say_what_is_wrong() {
    let mut accepted = 0;
    for (text, fault, message) in MISTAKES {
        match parse(text) {
            Ok(_) => {
                assert!(message.is_empty(), "{text} is accepted, not: {message}");
                accepted += 1;
            }
            Err(error) => {
                if *text == "größe" {
                    assert!(error.message.starts_with("unexpected character: 'ö'"), "{error:?}");
                    continue;
                }
                assert!(error.message.starts_with(message), "{text}: {error:?}, not: {message}");
                assert_eq!(text.get(error.span.clone()), Some(*fault), "{text}: {error:?}");
            }
        }
    }
    assert_eq!(accepted, 1);
}

#[test]
fn every_mistake_with_an_obvious_remedy_names_it() {
    for (text, advice) in [
        ("rtae(a[5m])", "Did you mean rate?"),
        ("smu(a)", "Did you mean sum?"),
        ("rate(a)", "Add a range, e.g. [5m]."),
        ("a = 1", "To compare, write ==."),
        ("a => 1", "At least is written >=."),
        ("a =< 1", "At most is written <=."),
        ("a.b > 1", "A dot in a metric's name is an underscore here: queue.depth is queue_depth."),
        ("rat(a[5m])", "Did you mean rate?"),
        ("on", "A metric of that name is written {__name__=\"on\"}."),
        ("clamp(a)", "Write clamp(instant vector, scalar, scalar)."),
        ("round(a, 1, 2)", "Write round(instant vector, [scalar])."),
        ("sum(a", "The query ends before it is closed: add the missing )."),
        ("summ by (x) (a)", "Did you mean sum?"),
        ("max(summ by (x) (a))", "Did you mean sum?"),
        ("a + (b) by (x)", "Before by stands an aggregation, as in sum by (label) (…)."),
        ("sum(a) group by x", "Labels to group by stand behind by, as in sum by (label) (…)."),
        ("sum by x (a)", "Labels stand in parentheses: (x)."),
        ("a / on x b", "Labels stand in parentheses: (x)."),
        ("a > 1 && b > 1", "Where both must hold, write and."),
        ("a > 1 || b > 1", "Where either may hold, write or."),
        ("sum(a | b)", "PromQL has no pipes; either of two is written or."),
        ("not a", "PromQL has no not: write unless, or compare with !=."),
        ("!a", "PromQL has no !: write unless, or compare with !=."),
        ("a > 1;", "A query is one expression."),
        ("a > 90%", "% is the remainder of a division: write 90 percent of a ratio as 0.9."),
        ("a > 1,000", "Numbers are written without commas."),
        ("a 5", "An operator is missing before it."),
        ("a b", "An operator is missing before it."),
        ("a > 5 b", "An operator is missing before it."),
        ("a{b:\"c\"}", "A matcher is a label, one of = != =~ !~, and a value in quotes."),
        ("a{b=\"c\" d=\"e\"}", "A comma is missing before it."),
        ("a{b=\"c\" > 1", "A } is missing before it."),
        ("topk(a, 5)", "Write topk(scalar, instant vector)."),
        ("histogram_quantile(a, 0.9)", "Write histogram_quantile(scalar, instant vector)."),
        ("sum(5)", "Wrap the number in vector()."),
        ("clamp_max(a, b)", "Wrap the vector in scalar()."),
    ] {
        assert_eq!(parse(text).unwrap_err().advice.as_deref(), Some(advice), "{text}");
    }
}

#[test]
fn spans_cover_what_each_node_came_from() {
    let text = " sum by (x) (rate(a{b=\"c\"}[5m] offset 1m)) > -(2) ";
    let mut parts = Vec::new();
    let expr = parse(text).unwrap();
    super::super::inspect::walk(&expr, &mut |part| parts.push(text.get(part.span.clone()).unwrap()));
    let expected = [
        "sum by (x) (rate(a{b=\"c\"}[5m] offset 1m)) > -(2)",
        "sum by (x) (rate(a{b=\"c\"}[5m] offset 1m))",
        "rate(a{b=\"c\"}[5m] offset 1m)",
        "a{b=\"c\"}[5m] offset 1m",
        "-(2)",
        "(2)",
        "2",
    ];
    assert_eq!(parts, expected);
}

#[test]
fn size_and_nesting_are_bounded() {
    let nested = |count: usize| format!("{}a{}", "(".repeat(count), ")".repeat(count));
    assert!(parse(&nested(NESTING_MAX - 1)).is_ok());
    let chain = |count: usize| vec!["a"; count].join("+");
    assert!(parse(&chain(HEIGHT_MAX)).is_ok());
    for text in [
        nested(NESTING_MAX + 1),
        nested(100_000),
        chain(HEIGHT_MAX + 2),
        "-".repeat(100_000),
        "a[".repeat(50_000),
        format!("a[{}1{}]", "(".repeat(10_000), ")".repeat(10_000)),
        format!("a[1{}]", "+1".repeat(10_000)),
        "sum(".repeat(50_000),
        "2^".repeat(50_000),
        "x".repeat(QUERY_BYTES_MAX + 1),
    ] {
        assert!(parse(&text).is_err(), "{} bytes", text.len());
    }
}

fn selector() -> impl Strategy<Value = String> {
    let name = prop_oneof!["[a-z_][a-z0-9_:]{0,4}", Just("sum".to_owned()), Just("offset".to_owned())];
    let matcher = ("[a-z_]{1,4}|\"[a-z.]{1,4}\"", "=|!=|=~|!~", "[a-z0-9.*|é]{0,5}")
        .prop_map(|(label, operator, value)| format!("{label}{operator}\"{value}\""));
    let matchers = prop::collection::vec(matcher, 0..3).prop_map(|all| all.join(","));
    (name, matchers).prop_map(|(name, matchers)| format!("{name}{{{matchers}}}"))
}

fn duration() -> impl Strategy<Value = String> {
    let leaf = prop_oneof!["[1-9][0-9]?(s|m|h|d)", "[1-9][0-9]{0,2}", Just("step()".to_owned())];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*/%^]", inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("max_of({a}, {b})")),
        ]
    })
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        selector(),
        (selector(), duration()).prop_map(|(a, d)| format!("{a} offset ({d})")),
        (selector(), duration()).prop_map(|(a, d)| format!("rate({a}[{d}] @ 1.5)")),
        (selector(), duration()).prop_map(|(a, d)| format!("increase({a}[{d}] anchored)")),
        "[0-9]{1,3}(\\.[0-9]{1,2})?",
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let op =
            "[-+*/%^]|atan2|> bool|== bool|and|or|unless|\\* on \\(x\\) group_left \\(y\\)|\\+ fill\\(0\\)";
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.clone().prop_map(|a| format!("sum by (x, \"y.z\") ({a})")),
            inner.clone().prop_map(|a| format!("quantile(0.5, {a}) without (x)")),
            (inner, duration()).prop_map(|(a, d)| format!("avg_over_time(({a})[{d}:1m])")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(text in expression()) {
        if let Ok(expr) = parse(&text) {
            let printed = expr.to_string();
            let again = parse(&printed);
            prop_assert!(again.is_ok(), "{text} prints as {printed}: {:?}", again.err());
            prop_assert_eq!(structure(&expr), structure(&again.unwrap()), "{} prints as {}", text, printed);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[-+*/%^()\\[\\]{}<>=!~@,:#\"'`a-c0-9 \\\\é.]{0,40}|\\PC{0,20}") {
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
        }
    }
}
