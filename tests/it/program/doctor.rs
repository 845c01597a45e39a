//! P12. What the doctor says about the queue and the ways to providers.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

use super::text;
use crate::support::server::{Ended, Installation};

/// A house with one tenant, whose id it is.
async fn house() -> (Installation, String) {
    let installation = Installation::new().await;
    let tenant = text(&installation.ask(&["tenant", "create", "--name=acme"]), "tenant_id").to_owned();
    (installation, tenant)
}

async fn run(installation: &Installation, tenant: &str, sql: &str) {
    installation.owner().await.run(&format!("SET stellwerk.tenant_id = '{tenant}'; {sql}")).await;
}

/// The findings of these checks that are not ok: state and words.
fn troubles(ended: &Ended, check: &str) -> Vec<(String, String)> {
    findings(ended, check).into_iter().filter(|(state, _)| state != "ok").collect()
}

fn findings(ended: &Ended, check: &str) -> Vec<(String, String)> {
    let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let findings = said["findings"].as_array().expect("findings").iter();
    let of_check = findings.filter(|finding| finding["check"] == check);
    of_check.map(|finding| (text(finding, "state").into(), text(finding, "says").into())).collect()
}

fn examined(installation: &Installation, arguments: &[&str]) -> Ended {
    installation.run(&[&["doctor", "--json"], arguments].concat(), &[])
}

/// A connected integration with Cal.com at this address.
fn calcom(id: u8, address: SocketAddr) -> String {
    format!(
        "INSERT INTO integration (id, provider, name, instance_url) \
         VALUES ('0190c0de-0000-7000-8000-0000000000{id:02}', 'calcom', 'Calendar', 'http://{address}/v2'); "
    )
}

#[tokio::test]
async fn a_lane_that_nobody_works_on_fails_and_one_of_a_paused_integration_warns() {
    let (installation, tenant) = house().await;
    let message = |kind: &str, lane: &str, integration: &str| {
        format!(
            "INSERT INTO outbox (id, kind, lane, payload, cause, integration_id, create_time) VALUES \
             (gen_random_uuid(), '{kind}', '{lane}', '{{}}', 'c', {integration}, now() - interval '1 hour'); "
        )
    };
    let paused = "(SELECT id FROM integration WHERE provider = 'calcom')";
    let sql = calcom(1, SocketAddr::from(([192, 0, 2, 1], 80)))
        + "UPDATE integration SET outbound_paused = true; "
        + &message("appointment_push", "paused", paused)
        + &message("patient_import", "stuck", "NULL");
    run(&installation, &tenant, &sql).await;

    let ended = examined(&installation, &[]);

    let [push, import] = &troubles(&ended, "outbox")[..] else { panic!("{ended:?}") };
    assert_eq!((push.0.as_str(), import.0.as_str()), ("warning", "failed"));
    assert!(push.1.contains("in lane paused of tenant"), "{push:?}");
    assert!(import.1.starts_with("patient_import: 1 waiting, the longest for 36"), "{import:?}");
    assert!(import.1.ends_with(&format!("in lane stuck of tenant {tenant}; 0 dead")), "{import:?}");
    assert_eq!(ended.exit_code, Some(1));
}

#[tokio::test]
async fn integrations_that_are_not_well_are_named_and_fail_nothing() {
    let (installation, tenant) = house().await;
    let nowhere = SocketAddr::from(([192, 0, 2, 1], 80));
    let sql = calcom(1, nowhere)
        + &calcom(2, nowhere)
        + &calcom(3, nowhere)
        + "INSERT INTO integration_flow (integration_id, capacity, refill_per_s, tokens, breaker, \
               last_failure_reason) \
               SELECT id, 100, 2, 100, CASE WHEN id::text LIKE '%02' THEN 'open' ELSE 'closed' END, \
               'HTTP_503' \
               FROM integration; \
           UPDATE integration SET state = 'needs_reconnect', state_reason = 'CREDENTIAL_REFUSED' \
               WHERE id::text LIKE '%01'";
    run(&installation, &tenant, &sql).await;

    let ended = examined(&installation, &[]);

    let told = troubles(&ended, "integrations");
    let says: Vec<&str> = told.iter().map(|(_, says)| says.as_str()).collect();
    assert!(says[0].contains("01 of tenant") && says[0].contains("(CREDENTIAL_REFUSED)"), "{says:?}");
    assert!(
        says[1].contains("02 of tenant") && says[1].ends_with("the breaker is open (HTTP_503)"),
        "{says:?}"
    );
    assert_eq!((told.len(), ended.exit_code), (2, Some(0)));
}

/// P2. It goes the server's way out, so it may go no further than the server.
#[tokio::test]
async fn providers_are_knocked_at_on_request_and_through_the_guard() {
    let (installation, tenant) = house().await;
    let server = installation.serve(&["--no-worker"]).await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    run(&installation, &tenant, &(calcom(1, server.http) + &calcom(2, closed))).await;
    let allow = format!("--egress-allow={},{closed}", server.http);

    let unasked = examined(&installation, &[]);
    let guarded = examined(&installation, &["--network"]);
    let allowed = examined(&installation, &["--network", &allow]);

    assert_eq!((findings(&unasked, "network").len(), unasked.exit_code), (0, Some(0)));
    let refused = troubles(&guarded, "network");
    assert!(refused.len() == 2 && refused.iter().all(|(state, _)| state == "failed"), "{refused:?}");
    let mut told = findings(&allowed, "network");
    told.sort();
    let [(down, unreached), (up, reached)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((down.as_str(), up.as_str()), ("failed", "ok"));
    assert!(reached.starts_with(&format!("calcom at {} (1 linked) answers", server.http)), "{reached}");
    assert!(unreached.contains(&format!("calcom at {closed}")), "{unreached}");
    assert_eq!((guarded.exit_code, allowed.exit_code), (Some(1), Some(1)));
}
