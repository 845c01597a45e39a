//! What a failed answer means, by its status; the wordings are second-hand and decide nothing that matters.

use super::*;

async fn verdict(reply: Reply) -> CallError {
    Double::answering([reply]).await.asana().task("1").await.unwrap_err()
}

/// The same to a write.
async fn verdict_on_write(reply: Reply) -> CallError {
    let change = TaskChange { fields: vec![("7".into(), FieldChange::Clear)], ..TaskChange::default() };
    Double::answering([reply]).await.asana().update_task("1", &change).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_is_told_by_its_status() {
    let cases = [
        (400, "Not a recognized ID: 1", Refusal::Invalid),
        (400, "Custom field with ID 71 is not on given object", Refusal::FieldNotOnTask),
        (402, "Custom fields are not available", Refusal::PlanLimit),
        (403, "You do not have access", Refusal::NotAllowed),
        (403, "Duplicated webhook", Refusal::Duplicate),
        (404, "task: Unknown object: 1", Refusal::NotFound),
        (410, "gone", Refusal::NotFound),
        (412, "Sync token invalid or too old", Refusal::Precondition),
        (451, "Unavailable for legal reasons", Refusal::LegalBlock),
        (405, "no", Refusal::Other { status: 405 }),
        (302, "moved", Refusal::Other { status: 302 }),
    ];
    for (status, message, refusal) in cases {
        let error = verdict(complaint(status, message)).await;

        assert_eq!(
            (error.class(), error),
            (Class::Permanent, CallError::Refused(refusal)),
            "{status} {message}"
        );
    }
}

#[tokio::test]
async fn a_refusal_counts_without_a_word_in_it() {
    for body in
        [json!({ "errors": [] }), json!({ "errors": [{}] }), json!({ "errors": [null, { "message": 7 }] })]
    {
        assert_eq!(verdict(reply(404, body)).await, CallError::Refused(Refusal::NotFound));
    }
}

/// Trap 29: what is not Asana's word deletes nothing.
#[tokio::test]
async fn a_page_of_somebody_elses_is_no_refusal() {
    let pages = ["", "<html><body>Not Found</body></html>", "{}", "[]", "null", r#"{"errors":"x"}"#, "404"];
    for status in [400, 402, 403, 404, 410, 451] {
        for body in pages {
            let error = verdict(reply(status, body)).await;

            assert_eq!(
                error,
                CallError::UnexpectedShape { what: "errors", may_be_done: false },
                "{status} {body}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_the_credentials_matter_whatever_the_body() {
    for reply in [complaint(401, "Not Authorized"), reply(401, "<html>no</html>"), reply(401, "")] {
        let error = verdict(reply).await;

        assert_eq!((error.class(), error), (Class::Credential, CallError::Credential));
    }
}

/// Trap 17.
#[tokio::test]
async fn a_limit_says_how_long_to_wait() {
    let cases = [
        (reply(429, "").with("retry-after", "30"), 30),
        (complaint(429, "You have made too many requests").with("retry-after", " 7 "), 7),
        (reply(429, "<html>busy</html>"), 60),
        (reply(429, "").with("retry-after", "0"), 1),
        (reply(429, "").with("retry-after", "soon"), 60),
        (reply(429, "").with("retry-after", "99999999"), 3600),
        (reply(424, "").with("retry-after", "5"), 5),
    ];
    for (reply, seconds) in cases {
        let retry_after = Duration::from_secs(seconds);
        let error = verdict_on_write(reply).await;

        assert_eq!((error.class(), error), (Class::Throttled, CallError::Throttled { retry_after }));
    }
}

#[tokio::test]
async fn a_fault_of_theirs_leaves_a_write_unknown_and_a_read_repeatable() {
    for status in [408, 500, 502, 503, 504] {
        let page = || reply(status, "<html>Bad gateway</html>");
        let how = NoAnswer::Status(status);

        assert_eq!(verdict(page()).await, CallError::Transient(how));
        assert_eq!(verdict_on_write(page()).await, CallError::Unknown(how));
    }
    let phrase = json!({ "errors": [{ "message": "Server Error", "phrase": "6 sad squid snuggle softly" }] });
    assert_eq!(verdict(reply(500, phrase)).await, CallError::Transient(NoAnswer::Status(500)));
}

#[test]
fn no_error_repeats_what_the_provider_said() {
    let refusals = [Refusal::Invalid, Refusal::Duplicate, Refusal::Other { status: 418 }];

    let printed = refusals.map(|refusal| format!("{refusal} {:?}", CallError::Refused(refusal.clone())));

    assert_eq!(
        printed,
        [
            "the provider does not accept what was sent Refused(Invalid)",
            "there is one already Refused(Duplicate)",
            "the provider refused (HTTP status 418) Refused(Other { status: 418 })",
        ]
    );
}
