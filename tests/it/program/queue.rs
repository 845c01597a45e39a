//! P12. What waits and what was given up, as an operator sees it and acts on it.

use serde_json::{Value, json};

use super::text;
use crate::support::server::{Ended, Installation};

/// A tenant with two dead letters and a message that has waited for an hour; nobody works.
struct House {
    installation: Installation,
    /// As an argument.
    tenant: String,
    /// The same.
    other: String,
}

impl House {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let [id, other] = ["acme", "globex"].map(|name| {
            let made = installation.ask(&["tenant", "create", &format!("--name={name}")]);
            text(&made, "tenant_id").to_owned()
        });
        let owner = installation.owner().await;
        owner
            .run(&format!(
                "SET stellwerk.tenant_id = '{id}'; \
                 INSERT INTO outbox (id, kind, lane, payload, cause, create_time) \
                     SELECT gen_random_uuid(), 'sync_run', lane, '{{\"name\": \"Erika\"}}', 'schedule/test', \
                         now() - interval '1 hour' FROM unnest(ARRAY['a', 'b', 'c']) AS lane; \
                 UPDATE outbox SET state = 'dead', is_head = false, attempts = 4, \
                     reason = CASE lane WHEN 'a' THEN 'HTTP_500' ELSE 'INTERNAL' END WHERE lane IN ('a', 'b')"
            ))
            .await;
        Self { installation, tenant: format!("--tenant={id}"), other: format!("--tenant={other}") }
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        self.installation.ask(&[&["outbox"], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.installation.run(&[&["outbox"], arguments].concat(), &[])
    }

    fn requeued(&self, choice: &[&str]) -> Value {
        self.ask(&[&["requeue", &self.tenant], choice].concat())["requeued"].clone()
    }
}

fn lanes(answer: &Value) -> Vec<&str> {
    answer["dead_letters"].as_array().unwrap().iter().map(|letter| text(letter, "lane")).collect()
}

#[tokio::test]
async fn what_waits_is_told_by_kind_with_the_lane_that_waits_longest() {
    let house = House::new().await;

    let told = house.ask(&["status"]);
    let lines = house.run(&["status"]).stdout;

    let [row] = &told["messages"].as_array().unwrap()[..] else { panic!("{told}") };
    assert_eq!(
        (&row["kind"], &row["waiting"], &row["dead"], &row["lane"], &row["is_held"]),
        (&json!("sync_run"), &json!(1), &json!(2), &json!("c"), &json!(false))
    );
    assert!((3600.0..4000.0).contains(&row["oldest_age_s"].as_f64().unwrap()), "{row}");
    assert!(lines.contains("1 waiting  2 dead  oldest 36"), "{lines}");
}

#[tokio::test]
async fn dead_letters_are_listed_with_their_reason_and_without_what_they_were_about() {
    let house = House::new().await;

    let all = house.ask(&["dead", &house.tenant]);
    let some = house.ask(&["dead", &house.tenant, "--kind=sync_run", "--reason=HTTP_500"]);
    let cut = house.ask(&["dead", &house.tenant, "--limit=1"]);
    let others = house.ask(&["dead", &house.other]);

    assert_eq!((lanes(&all).len(), lanes(&some), lanes(&cut).len()), (2, vec!["a"], 1));
    assert_eq!((&all["is_cut"], &cut["is_cut"]), (&json!(false), &json!(true)));
    assert_eq!(some["dead_letters"][0]["attempts"], 4);
    assert_eq!(lanes(&others), [""; 0]);
    assert!(!all.to_string().contains("Erika"), "{all}");
}

#[tokio::test]
async fn dead_letters_are_requeued_by_name_by_choice_or_all_at_once() {
    let house = House::new().await;
    let first = house.ask(&["dead", &house.tenant, "--reason=INTERNAL"]);
    let named = format!("--message={}", text(&first["dead_letters"][0], "message_id"));

    let by_name = house.requeued(&[&named]);
    let by_choice = house.requeued(&["--kind=reconcile"]);
    let all = house.requeued(&["--all"]);
    let again = house.requeued(&["--all"]);

    assert_eq!([by_name, by_choice, all, again], [1, 0, 1, 0]);
    let told = house.ask(&["status"]);
    assert_eq!((&told["messages"][0]["waiting"], &told["messages"][0]["dead"]), (&json!(3), &json!(0)));
}

/// P3.
#[tokio::test]
async fn requeueing_needs_a_choice_and_knows_only_the_tenants_own() {
    let house = House::new().await;
    let first = house.ask(&["dead", &house.tenant]);
    let named = format!("--message={}", text(&first["dead_letters"][0], "message_id"));

    let undecided = house.run(&["requeue", &house.tenant]);
    let both = house.run(&["requeue", &house.tenant, &named, "--all"]);
    let strange = house.run(&["requeue", &house.other, &named]);
    let nobody = house.run(&["dead", "--tenant=0190c0de-0000-7000-8000-000000000001"]);

    let codes = [&undecided, &both, &strange, &nobody].map(|ended| ended.exit_code);
    assert_eq!(codes, [Some(2), Some(2), Some(1), Some(1)], "{undecided:?} {both:?} {strange:?} {nobody:?}");
    assert_eq!(lanes(&house.ask(&["dead", &house.tenant])).len(), 2);
}
