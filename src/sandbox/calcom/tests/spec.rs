//! The check against Cal.com's description, on a description of its own: the real one may not be at hand.

use super::*;
use crate::sandbox::calcom::spec::Spec;

fn spec() -> Spec {
    let version = json!({ "name": "cal-api-version", "in": "header", "schema": { "default": "2024-08-13" } });
    let key = json!({ "name": "Authorization", "in": "header", "required": true });
    let take = json!({ "name": "take", "in": "query", "schema": { "type": "number" } });
    let status = json!({ "name": "status", "in": "query",
                         "schema": { "type": "array", "items": { "enum": ["past", "upcoming"] } } });
    let json_of = |schema: Value| json!({ "application/json": { "schema": schema } });
    let made = json!({ "$ref": "#/components/schemas/Made" });
    Spec::of(json!({
        "paths": {
            "/v2/bookings": {
                "get": { "parameters": [version, key, take, status],
                         "responses": { "200": { "content": json_of(json!({ "type": "object" })) } } },
                "post": {
                    "parameters": [version],
                    "requestBody": { "required": true, "content": json_of(json!({ "oneOf": [
                        { "$ref": "#/components/schemas/Create" },
                        { "$ref": "#/components/schemas/Other" },
                    ] })) },
                    "responses": { "201": { "content": json_of(made) } },
                },
            },
            "/v2/bookings/{uid}": { "get": { "responses": {} } },
        },
        "components": { "schemas": {
            "Create": { "type": "object", "required": ["start"], "properties": {
                "start": { "type": "string" },
                "attendee": { "allOf": [{ "$ref": "#/components/schemas/Attendee" }] },
                "metadata": { "type": "object" } } },
            "Other": { "type": "object", "required": ["instant"],
                       "properties": { "instant": { "type": "boolean" } } },
            "Attendee": { "type": "object",
                          "properties": { "language": { "type": "string", "enum": ["de"] } } },
            "Made": { "type": "object", "required": ["id"], "properties": {
                "id": { "type": "number", "minimum": 1 },
                "tags": { "type": "array", "items": { "type": "string" } },
                "note": { "type": "string", "nullable": true },
                "days": { "type": "object", "additionalProperties": { "type": "boolean" } } } },
        } },
    }))
}

fn request(method: &str, body: Value) -> Recorded {
    Recorded {
        id: 1,
        time: at("2026-10-01T08:00:00Z"),
        operation: None,
        method: method.to_owned(),
        path: "/v2/bookings".to_owned(),
        query: Vec::new(),
        version: Some("2024-08-13".to_owned()),
        key_id: Some(1),
        user_id: Some(1),
        body,
        status: None,
    }
}

fn asked(query: &[(&str, &str)]) -> Recorded {
    let query = query.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Recorded { query, ..request("GET", Value::Null) }
}

#[test]
fn a_request_as_described_passes() {
    let body = json!({ "start": "s", "attendee": { "language": "de" }, "metadata": { "any": "thing" } });

    assert_eq!(spec().check_request(&request("POST", body)), Ok(()));
    assert_eq!(spec().check_request(&request("POST", json!({ "instant": true }))), Ok(()));
    assert_eq!(spec().check_request(&asked(&[("take", "5"), ("status", "past,upcoming")])), Ok(()));
}

#[test]
fn a_request_that_departs_is_named() {
    let wrong = |request: &Recorded| spec().check_request(request).unwrap_err();
    let post = |body: Value| wrong(&request("POST", body));

    assert!(
        post(json!({ "start": "s", "allowConflicts": true }))
            .contains("/allowConflicts: there is no such key")
    );
    assert!(post(json!({ "start": 7 })).contains("/start: 7 is no string"));
    assert!(post(json!({ "attendee": {} })).contains("start is missing"));
    assert!(post(json!({ "start": "s", "attendee": { "language": "xx" } })).contains("/attendee/language"));
    assert!(post(json!({ "start": "s", "attendee": { "age": 7 } })).contains("/attendee/age"));
    assert!(post(Value::Null).contains("is no object"));
    assert!(wrong(&asked(&[("colour", "red")])).contains("no parameter colour"));
    assert!(wrong(&asked(&[("take", "many")])).contains("take=many is no number"));
    assert!(wrong(&asked(&[("status", "past,lost")])).contains("status=past,lost"));
    let unversioned = Recorded { version: None, ..request("GET", Value::Null) };
    assert!(wrong(&unversioned).contains("cal-api-version"));
    let keyless = Recorded { key_id: None, ..request("GET", Value::Null) };
    assert!(wrong(&keyless).contains("needs a key"));
    assert!(wrong(&request("PUT", Value::Null)).contains("no such route"));
}

#[test]
fn an_answer_is_held_against_types_and_what_must_be_there() {
    let check = |body: Value| spec().check_answer("POST", "/v2/bookings", 201, &body);

    assert_eq!(
        check(json!({ "id": 1, "note": null, "tags": ["a"], "days": { "mon": true }, "new": 1 })),
        Ok(())
    );
    assert!(check(json!({})).unwrap_err().contains("id is missing"));
    assert!(check(json!({ "id": 0 })).unwrap_err().contains("out of bounds"));
    assert!(check(json!({ "id": 1, "tags": [1] })).unwrap_err().contains("/tags/0"));
    assert!(check(json!({ "id": 1, "days": { "mon": 1 } })).unwrap_err().contains("/days/mon"));
    assert!(spec().check_answer("POST", "/v2/bookings", 200, &json!({})).is_err(), "not described");
    assert_eq!(spec().check_answer("POST", "/v2/bookings", 400, &json!(null)), Ok(()));
}

/// The others hold every answer they get against the real description, where it is at hand.
#[test]
fn the_real_description_knows_the_routes_of_the_double() {
    let Some(spec) = Spec::at_hand() else { return };

    let made = spec.check_answer("POST", "/v2/bookings", 201, &json!({ "status": "success", "data": {} }));

    assert!(made.unwrap_err().contains("is missing"));
}
