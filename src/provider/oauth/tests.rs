//! What rows bend, and how it is read.

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode};
use prost::bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::{
    egress::Fetched,
    provider::catalog::{self, OAuth},
};

fn row(provider: &str) -> &'static OAuth {
    catalog::find(provider).and_then(|one| one.oauth()).unwrap()
}

fn fetched(status: u16, body: &str) -> Fetched {
    let status = StatusCode::from_u16(status).unwrap();
    Fetched { status, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) }
}

fn straight(provider: &str, status: u16, body: &str) -> Result<(u16, Value), wire::Trouble> {
    let response = wire::straightened(row(provider), &fetched(status, body))?;
    Ok((response.status().as_u16(), serde_json::from_slice(response.body()).unwrap()))
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// RFC 7636, appendix B, and GitLab's documentation.
#[test]
fn challenges_are_those_that_were_published() {
    let text = include_str!("../../../tests/data/signature_vectors.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let pairs = all["vectors"].as_array().unwrap().iter().filter(|one| one["group"] == "pkce");

    let mut checked = 0;
    for pair in pairs {
        let verifier = Verifier::from_text(pair["code_verifier"].as_str().unwrap().into());
        assert_eq!(verifier.challenge().as_str(), pair["code_challenge"], "{}", pair["id"]);
        checked += 1;
    }

    assert_eq!(checked, 2);
}

#[test]
fn verifiers_are_as_long_as_the_rfc_wants_and_never_the_same_nor_shown() {
    let (one, other) = (Verifier::random(), Verifier::random());

    assert!((43..=128).contains(&one.expose().len()));
    assert_ne!(one.expose(), other.expose());
    assert_eq!(format!("{one:?}"), "Verifier");
}

#[test]
fn a_refusal_is_found_in_every_form_that_providers_have_for_it() {
    for (provider, status, body, code) in [
        ("asana", 400, r#"{"error":"invalid_grant","error_description":"x"}"#, "invalid_grant"),
        ("asana", 400, r#"{"errors":[{"error":"invalid_grant"}]}"#, "invalid_grant"),
        ("asana", 400, r#"{"errors":[{"message":"Something: Went Wrong"}]}"#, "refused"),
        ("slack", 200, r#"{"ok":false,"error":"invalid_code"}"#, "invalid_code"),
        ("slack", 200, r#"{"access_token":"x"}"#, "refused"),
        ("github", 200, r#"{"error":"bad_verification_code"}"#, "bad_verification_code"),
        ("calcom", 401, r#"{"error":"invalid_client"}"#, "invalid_client"),
    ] {
        assert_eq!(
            straight(provider, status, body),
            Ok((400, json!({ "error": code }))),
            "{provider} {body}"
        );
    }
}

#[test]
fn an_error_page_is_no_refusal() {
    for (status, body) in [(200, "<html>"), (400, "<html>"), (302, ""), (200, ""), (200, "[]"), (302, "{}")] {
        assert_eq!(straight("asana", status, body), Err(wire::Trouble::Unexpected), "{status} {body}");
    }
    for status in [429, 500, 502, 503] {
        let refused = straight("asana", status, r#"{"error":"invalid_grant"}"#);
        assert_eq!(refused, Err(wire::Trouble::Unavailable(None)), "{status}");
    }
}

#[test]
fn tokens_are_read_whatever_types_their_fields_have() {
    let body = r#"{"access_token":"a","refresh_token":null,"expires_in":"3600","scope":["read","write"]}"#;
    let standard =
        json!({ "access_token": "a", "token_type": "bearer", "expires_in": 3600, "scope": "read write" });

    assert_eq!(straight("zendesk", 201, body), Ok((200, standard)));
    let (_, endless) = straight("notion", 200, r#"{"access_token":"a","expires_in":null}"#).unwrap();
    assert_eq!(endless.get("expires_in"), None);
}

#[test]
fn what_was_not_granted_is_found_and_what_is_never_said_is_not_looked_for() {
    let tokens = |scopes: Option<&[&str]>| Tokens {
        access: "a".into(),
        refresh: None,
        lifetime: None,
        scopes: scopes.map(|scopes| scopes.iter().map(ToString::to_string).collect()),
        rest: serde_json::Map::new(),
    };
    let wanted = ["Mail.Read", "offline_access", "openid"].map(String::from);

    assert_eq!(tokens(Some(&["mail.read"])).missing(&wanted), [""; 0]);
    assert_eq!(tokens(Some(&["User.Read"])).missing(&wanted), ["Mail.Read"]);
    assert_eq!(tokens(None).missing(&wanted), [""; 0]);
}

#[test]
fn a_placeholder_makes_no_other_host_and_no_other_path() {
    for (provider, name, unfit) in [
        ("zendesk", "subdomain", "evil.example/"),
        ("zendesk", "subdomain", "a.b"),
        ("zendesk", "subdomain", "-a"),
        ("zendesk", "subdomain", "a@evil"),
        ("zendesk", "subdomain", ""),
        ("gitlab", "host", "127.0.0.1"),
        ("gitlab", "host", "127.1"),
        ("gitlab", "host", "localhost"),
        ("gitlab", "host", "git.example.org:8443"),
        ("gitlab", "host", "git.example.org/x"),
        ("gitlab", "host", "git.example.org."),
        ("microsoft365", "tenant", ".."),
        ("microsoft365", "tenant", "a/b"),
        ("microsoft365", "tenant", "a?b"),
        ("asana", "host", "git.example.org"),
    ] {
        let refused = Placeholders::check(row(provider), &given(&[(name, unfit)]));
        assert!(refused.is_err() || unfit.is_empty() && provider != "zendesk", "{provider} {unfit}");
    }
}

#[test]
fn urls_are_made_of_what_the_tenant_said_and_of_defaults() {
    let (zendesk, microsoft) = (row("zendesk"), row("microsoft365"));
    let own = Placeholders::check(zendesk, &given(&[("subdomain", "Wall")])).unwrap();
    let none = Placeholders::check(microsoft, &given(&[])).unwrap();

    let zendesk = Endpoints::of(zendesk, &own, "c", None).unwrap();
    let microsoft = Endpoints::of(microsoft, &none, "c", None).unwrap();

    assert_eq!(zendesk.token.as_str(), "https://wall.zendesk.com/oauth/tokens");
    assert_eq!(microsoft.token.as_str(), "https://login.microsoftonline.com/common/oauth2/v2.0/token");
}

/// P10. The installation's secret goes with a token request, so a tenant must not choose where that goes.
#[test]
fn a_host_of_a_tenants_choice_is_told_apart() {
    let gitlab = row("gitlab");
    let at =
        |host: &str| Placeholders::check(gitlab, &given(&[("host", host)])).unwrap().lead_elsewhere(gitlab);

    assert!(!at("gitlab.com") && !at("GITLAB.com"));
    assert!(at("git.example.org"));
}

#[test]
fn every_row_has_urls_that_can_be_made() {
    for provider in catalog::all() {
        let Some(row) = provider.oauth() else { continue };
        let value =
            |name: &str| if name == "tenant" || name == "subdomain" { "wall" } else { "idp.example.org" };
        let missing = row.placeholders.iter().filter(|one| one.default.is_none());
        let given = missing.map(|one| (one.name.to_string(), value(one.name).to_string())).collect();
        let placeholders = Placeholders::check(row, &given).unwrap();

        let endpoints = Endpoints::of(row, &placeholders, "a client/id", None);

        let endpoints = endpoints.unwrap_or_else(|| panic!("{}", provider.id));
        let all = [Some(endpoints.authorize), Some(endpoints.token), endpoints.revoke, endpoints.account];
        for url in all.into_iter().flatten() {
            assert!(url.scheme() == "https" && !url.as_str().contains(['{', '}']), "{url}");
        }
    }
}
