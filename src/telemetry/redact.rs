//! What may not be read in a log line, and how it is masked.
//!
//! Text is redacted as a whole, a JSON line string by string, so that it stays JSON. The rules err on the
//! side of masking: an odd word may be lost, a secret may not stay.

use std::{borrow::Cow, ops::Range, sync::LazyLock};

use regex::{Captures, Regex, RegexSet};

/// Stands for whatever was taken out.
const MASK: &str = "…";

/// What may follow a secret without belonging to it.
const PUNCTUATION: [char; 7] = [',', ';', '.', ':', ')', ']', '}'];

/// One kind of secret. The first group of the pattern that took part in a match is what is masked;
/// the rest of the match stays, so that a reader sees what was there.
struct Rule {
    /// A part of every match, cheap to look for: most lines hold none of these.
    trigger: String,
    pattern: Regex,
    /// Decides about a match that the pattern alone cannot tell from ordinary text.
    holds: fn(&Found<'_>) -> bool,
}

/// A match inside its line.
struct Found<'a> {
    line: &'a str,
    whole: Range<usize>,
    secret: Range<usize>,
}

impl<'a> Found<'a> {
    fn secret(&self) -> &'a str {
        &self.line[self.secret.clone()]
    }

    fn before(&self) -> &'a str {
        &self.line[..self.whole.start]
    }

    fn after(&self) -> &'a str {
        &self.line[self.whole.end..]
    }
}

/// What an unquoted value is made of.
const WORD: &str = r#"[^\s&"]"#;

/// Names whose value is a secret wherever it stands: `x-api-key=…`, `"client_secret":"…"`, `token: "…"`.
const NAME: &str = concat!(
    "(?:authorization|passw(?:or)?d|passphrase|api[_-]?key|secret|token|code[_-]verifier|phone|",
    "(?:root|encryption|private|signing|data)[_-]?keys?)"
);

/// What PostgreSQL has names for, and writes before them in its messages.
const THING: &str = concat!(
    "(?:relation|table|view|index|sequence|constraint|column|field|function|procedure|schema|type|trigger|",
    "policy|partition|parameter|statement)"
);

#[rustfmt::skip]
fn rules() -> Vec<Rule> {
    let rule = |trigger: &str, pattern: &str, holds| Rule {
        trigger: format!("(?i-u:{})", trigger.replace("NAME", NAME).replace("THING", THING)),
        pattern: compile(&pattern.replace("NAME", NAME).replace("WORD", WORD).replace("THING", THING)),
        holds,
    };
    let always = |_: &Found<'_>| true;
    vec![
        // First what shows by its own shape.
        rule("-----BEGIN", r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)(?:-----END|\n?$)", always),
        // `postgres://user:password@host`; the password may hold an unescaped `@`.
        rule("://", r"://[^\s:/@]*:(WORD+)@", |found| !starts_with_port(found.secret())),
        // This service's own API keys. The eight characters that name a key may stay.
        rule("swk_", r"swk_(?:[0-9A-Za-z]{8}_)?([\w-]+)", |found| !is_key_prefix(found)),
        rule("whsec_", r"whsec_([\w+/=-]+)", always),
        // A JWT's header is a JSON object: `{"`, `{ ` or `{` and a line break, in base64url.
        rule("ey[a-j]|ew[o0]", r"((?:ey[A-J]|\bew[o0])[\w-]{6,}(?:\.[\w-]*)+)", always),
        rule("webhooks", r"(?i)(?:/|%2F)api(?:/|%2F)webhooks(?:/|%2F)[\w-]+(?:/|%2F)+([\w.~%-]+)", always),
        rule("sha[1-5]", r"(?i)sha(?:1|256|384|512)=([\w+/=-]{6,})", always),
        rule("v[0-9]+a?[,=]", r"v[0-9]+a?[,=]([\w+/=-]{16,})", always),
        // E-mail addresses, also with a quoted local part, and percent-encoded as in a booking link.
        rule(
            "@|%40",
            r#"((?:[\p{L}\p{N}\p{M}._%+'!#$*^~-]+|\\*"[\w .+-]{1,64}\\*")(?:@|%40)[\p{L}\p{N}\p{M}.-]+)"#,
            is_address,
        ),
        // E.164 allows 15 digits; with fewer than seven it is no subscriber's number.
        rule("[+][0-9]|%2B[0-9]", r"(?:\+|%2[Bb])([0-9](?:(?:[\s()/.\p{Pd}]|%20){0,2}[0-9]){6,14})", always),
        rule("[0-9A-F]{64}", r"([0-9A-Fa-f]{64,})", always),
        rule("code=|state=", r#"(?i)(?:code|state)=([^\s&"\\#]+)"#, is_in_query),
        rule("bearer|basic", r"(?i)(?:bearer|basic)\s+([\w.~+/=-]+)", |found| !is_plain_word(found.secret())),
        // Then what only its name gives away. Quoted: `name="…"`, `"name":"…"`, `name: Some("…")`,
        // `("name", "…")`; the same inside a string that was escaped once or more; libpq's `name='…'`.
        rule("NAME", r#"(?i)NAME(?:["']?\s*[:=]|"\s*,)\s*(?:Some\()?"((?:[^"\\]|\\.)+)"#, is_value),
        rule("NAME", r#"(?i)NAME(?:\\+"|\\+')?\s*[:=,]\s*(?:Some\()?\\+"((?:[^"\\]|\\{2,}.)+)"#, is_value),
        rule("NAME", r"(?i)NAME\s*=\s*'((?:[^'\\]|\\.)+)'", always),
        // Bare. After a colon most words are prose or the rest of a module path, so they must look random.
        rule(
            "NAME",
            r#"(?i)(?:authorization|passw(?:or)?d|passphrase)\s*[:=]\s*((?:(?:bearer|basic)\s+)?WORD+)"#,
            is_bare,
        ),
        rule("NAME", r#"(?i)NAME\s*=\s*(WORD+)"#, is_bare),
        rule("NAME|signature", r#"(?i)(?:NAME|signature)\s*[:=]\s*(WORD+)"#, |found| {
            is_bare(found) && looks_random(found.secret())
        }),
        // What PostgreSQL calls its insides: quoted, in a few messages bare, and in one of our own triggers'.
        rule(r#"(?:THING|near) \\*""#, r#"(?i)\b(?:THING|at or near) \\*"([^"\\]+)"#, always),
        rule("THING [a-z_][a-z0-9]*[._]", r"\bTHING ([a-z_][a-z0-9]*(?:[._][a-z0-9]+)+)", always),
        rule("denied for|owner of", r"(?:denied for|must be owner of) [a-z ]*?THING ([\w$.]+)", always),
        rule("is append-only", r"(\w+) is append-only", always),
    ]
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(rules);

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and every test of this module compiles them"
)]
static TRIGGERS: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(RULES.iter().map(|rule| &rule.trigger)).expect("patterns that compile"));

/// A JSON key whose value is a secret.
static SECRET_KEY: LazyLock<Regex> = LazyLock::new(|| compile(&format!("(?i){NAME}\"$")));

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and every test of this module compiles them"
)]
fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that compiles")
}

/// Masks secrets and personal data in one formatted log line.
///
/// Masked are bearer tokens and JWTs, API keys, `whsec_` secrets, values named like secrets, passwords in
/// URLs, signatures, private keys, 64 and more hexadecimal digits, `code` and `state` of a query, endpoints
/// of webhook paths, e-mail addresses, telephone numbers after a `+`, and in PostgreSQL's messages the names
/// of tables, columns, constraints and the like. Most lines hold none of these: one pass over the line finds
/// that out and nothing is copied.
pub fn redact(line: &str) -> Cow<'_, str> {
    let mut redacted = Cow::Borrowed(line);
    for index in TRIGGERS.matches(line) {
        let rule = &RULES[index];
        let masked = match rule
            .pattern
            .replace_all(&redacted, |found: &Captures<'_>| mask(found, &redacted, rule.holds))
        {
            Cow::Borrowed(_) => continue,
            Cow::Owned(masked) => masked,
        };
        redacted = Cow::Owned(masked);
    }
    redacted
}

/// The same for a line of JSON: every string of it is redacted as it was before it was escaped, and a
/// string behind a key that names a secret is masked as a whole. The line stays JSON.
pub fn redact_json(line: &str) -> String {
    let mut redacted = String::with_capacity(line.len());
    let (mut rest, mut is_secret) = (line, false);
    while let Some(start) = rest.find('"') {
        let (between, string) = rest.split_at(start);
        let Some(length) = string_length(string) else { break };
        let (string, after) = string.split_at(length);
        redacted.push_str(between);
        if after.starts_with(':') {
            is_secret = SECRET_KEY.is_match(string);
        }
        let text = unescape(string);
        match redact(&text) {
            masked if is_secret && !after.starts_with(':') && !is_api_key(&masked) => {
                redacted.push_str("\"…\"")
            }
            Cow::Borrowed(_) => redacted.push_str(string),
            Cow::Owned(masked) => redacted.push_str(&serde_json::Value::String(masked).to_string()),
        }
        rest = after;
    }
    redacted + &redact(rest)
}

/// The length in bytes of the JSON string that `text` begins with, quotes included.
fn string_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some(end + 2)
}

fn unescape(string: &str) -> Cow<'_, str> {
    let inner = string.trim_matches('"');
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(string).map_or(Cow::Borrowed(string), Cow::Owned)
}

fn mask(captures: &Captures<'_>, line: &str, holds: fn(&Found<'_>) -> bool) -> String {
    let whole = captures.get_match().range();
    let Some(secret) = captures.iter().skip(1).flatten().next() else { return line[whole].to_owned() };
    let mut found = Found { line, whole, secret: secret.range() };
    if !holds(&found) {
        return line[found.whole].to_owned();
    }
    // Closing brackets and commas belong to the line, not to the secret.
    let tail = found.secret().trim_end_matches(PUNCTUATION).len();
    found.secret.end = found.secret.start + tail;
    format!(
        "{}{MASK}{}",
        &line[found.whole.start..found.secret.start],
        &line[found.secret.end..found.whole.end]
    )
}

/// `http://host:8080/path@x` has a port there, not a password.
fn starts_with_port(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (1..=5).contains(&(text.len() - rest.len())) && rest.starts_with(['/', '?', '#'])
}

/// In `"token","next":…` a key follows, not a value; only in `("token", "abc")` does a comma join the two.
fn is_value(found: &Found<'_>) -> bool {
    let joined = &found.line[found.whole.start..found.secret.start];
    let start = found.before().trim_end_matches(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
    !is_api_key(found.secret())
        && (!joined.contains(',') || start.trim_end_matches(['"', '\\']).ends_with('('))
}

/// A bare value: not the rest of a path (`api_key::tests`), and no API key, which has a rule of its own.
fn is_bare(found: &Found<'_>) -> bool {
    let secret = found.secret();
    !secret.starts_with(':') && !is_api_key(secret) && secret != "Some("
}

/// An API key, masked or only its name, and the punctuation behind it.
fn is_api_key(text: &str) -> bool {
    text.strip_prefix("swk_").is_some_and(|rest| {
        let rest = rest.trim_end_matches(PUNCTUATION);
        rest.ends_with(MASK) || rest.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

/// Long, with letters and digits or with upper and lower case: no word of a language.
fn looks_random(text: &str) -> bool {
    let has = |kind: fn(&char) -> bool| text.chars().any(|c| kind(&c));
    let mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase);
    text.len() >= 12 && (has(char::is_ascii_digit) || (mixed && text.len() >= 16))
}

/// A word of prose, as in "bearer token is missing".
fn is_plain_word(text: &str) -> bool {
    let word = text.trim_end_matches('.');
    word.len() <= 15 && word.chars().all(|c| c.is_ascii_lowercase())
}

/// `swk_` and eight characters name a key without being it.
fn is_key_prefix(found: &Found<'_>) -> bool {
    let whole = &found.line[found.whole.clone()];
    whole.len() == 12 && whole[4..].chars().all(|c| c.is_ascii_alphanumeric())
}

/// `code` and `state` are ordinary field names, and secrets only between `?` or `&` and `&`.
fn is_in_query(found: &Found<'_>) -> bool {
    let name = found.before().trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    name.ends_with(['?', '&']) || found.after().starts_with('&')
}

/// Everything around an `@`, except the user of a database URL: an operator needs to see where it leads.
fn is_address(found: &Found<'_>) -> bool {
    !(found.before().ends_with("postgres://") || found.before().ends_with("postgresql://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_never_narrower_than_its_pattern() {
        let lines = super::super::tests::SECRETS.iter().map(|(text, _)| *text);

        for line in
            lines.chain(["&CODE=x", "BEARER X9", "TOKEN=x", "%2b4930123456", "X%40y", "SHA512=abcdef"])
        {
            let triggered = TRIGGERS.matches(line);
            for (index, rule) in RULES.iter().enumerate() {
                let matched = rule.pattern.is_match(line);
                assert!(!matched || triggered.matched(index), "{:?} misses {line:?}", rule.trigger);
            }
        }
    }

    #[test]
    fn every_rule_meets_a_line_of_the_table() {
        for (index, rule) in RULES.iter().enumerate() {
            let used = super::super::tests::SECRETS.iter().any(|(text, _)| rule.pattern.is_match(text));
            assert!(used, "no test needs rule {index}, {:?}", rule.pattern);
        }
    }
}
