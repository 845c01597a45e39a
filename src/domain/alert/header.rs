//! Headers that a tenant has sent along: its own, never those that steer the connection.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, Result, Violation};

/// Of one destination, at most.
const AT_MOST: usize = 20;
const NAME_BYTES: usize = 100;
const VALUE_BYTES: usize = 2000;

/// What is about one connection (RFC 9110 §7.6.1, RFC 6455), or what the client says itself.
const NOT_YOURS: [&str; 17] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Checks them. Errors: `Invalid`, naming each field that does not fit, never what it holds.
pub(super) fn check<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap> {
    let mut kept = HeaderMap::new();
    let mut violations = Vec::new();
    for (index, (name, value)) in headers.into_iter().enumerate() {
        let mut refuse = |field: &str, description: &str| {
            let field = format!("headers[{index}].{field}");
            violations.push(Violation { field, description: description.into() });
        };
        if index >= AT_MOST {
            refuse("name", "must be one of 20 headers at most");
            break;
        }
        let Some(parsed) = parse_name(name) else {
            refuse("name", "must be a header's name, as in X-Api-Key");
            continue;
        };
        if NOT_YOURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("sec-") {
            refuse("name", "must not be a header of the connection or of the client");
        } else if kept.contains_key(&parsed) {
            refuse("name", "must not be given twice");
        } else if let Some(mut value) = parse_value(value) {
            value.set_sensitive(true);
            kept.insert(parsed, value);
        } else {
            refuse("value", "must be at most 2000 visible ASCII characters and spaces");
        }
    }
    if violations.is_empty() { Ok(kept) } else { Err(Error::Invalid(violations)) }
}

fn parse_name(name: &str) -> Option<HeaderName> {
    let name = Some(name).filter(|name| name.len() <= NAME_BYTES)?;
    HeaderName::from_bytes(name.as_bytes()).ok()
}

fn parse_value(value: &str) -> Option<HeaderValue> {
    let fits = value.len() <= VALUE_BYTES && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    HeaderValue::from_str(value).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(headers: &[(&str, &str)]) -> Vec<String> {
        match check(headers.iter().copied()) {
            Err(Error::Invalid(violations)) => {
                violations.into_iter().map(|violation| violation.field).collect()
            }
            Err(error) => panic!("{error:?}"),
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn a_tenants_own_headers_are_kept_as_secrets() {
        let kept = check([("Authorization", "Bearer hidden"), ("X-Team", "desk")]).unwrap();

        assert_eq!(kept["authorization"], "Bearer hidden");
        assert!(!format!("{kept:?}").contains("hidden"));
    }

    #[test]
    fn headers_of_the_connection_are_refused_in_any_spelling() {
        for name in NOT_YOURS {
            assert_eq!(fields(&[(&name.to_uppercase(), "x")]), ["headers[0].name"], "{name}");
        }
        assert_eq!(fields(&[("Sec-WebSocket-Key", "x")]), ["headers[0].name"]);
    }

    #[test]
    fn what_would_break_a_request_is_refused_by_its_place() {
        let refused = fields(&[
            ("X-Good", "yes"),
            ("X Bad", "v"),
            ("", "v"),
            ("X-Line", "a\r\nHost: b"),
            ("x-good", "twice"),
            ("X-Umlaut", "ä"),
        ]);

        let places = ["[1].name", "[2].name", "[3].value", "[4].name", "[5].value"];
        assert_eq!(refused, places.map(|place| format!("headers{place}")));
    }

    #[test]
    fn there_is_an_end_to_them() {
        let many: Vec<(String, String)> = (0..21).map(|n| (format!("X-{n}"), "v".into())).collect();

        let refused = check(many.iter().map(|(name, value)| (name.as_str(), value.as_str())));

        assert!(
            matches!(refused, Err(Error::Invalid(violations)) if violations[0].field == "headers[20].name")
        );
        assert_eq!(fields(&[("X-Long", &"v".repeat(2001))]), ["headers[0].value"]);
        assert_eq!(fields(&[(&"x".repeat(101), "v")]), ["headers[0].name"]);
    }

    proptest! {
        #[test]
        fn whatever_is_kept_cannot_begin_another_header(name in ".{0,20}", value in ".{0,40}") {
            if let Ok(kept) = check([(name.as_str(), value.as_str())]) {
                prop_assert!(kept.values().all(|value| !value.as_bytes().contains(&b'\n')));
                prop_assert!(kept.len() == 1);
            }
        }
    }
}
