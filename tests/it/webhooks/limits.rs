//! The shared limit: one for all instances, and only for those who are who they say. And how little of a
//! process is taken by deliveries that have to wait.

use std::time::{Duration, Instant};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::{Value, json};
use stellwerk::proto::SignatureScheme;

use crate::support::{
    app::TestApp,
    booking_tool::{Answer, TestBookingTool},
    said::{NO_LIMIT, limit_new_endpoints, said},
};

/// Connections that wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'stellwerk' AND wait_event_type = 'Lock'";

fn registration(number: usize) -> Value {
    said("patient.created", json!({ "id": number, "nachname": format!("Muster {number}") }))
}

/// A busy machine may answer 503 when a connection to the database is not free in time; a tool repeats that.
async fn until_served(tool: &TestBookingTool, number: usize) -> Answer {
    loop {
        let answer = tool.tell(&registration(number)).await;
        if answer.status != 503 {
            return answer;
        }
    }
}

/// P13, P14.
#[tokio::test]
async fn of_150_authentic_deliveries_over_two_instances_100_are_kept() {
    let app = TestApp::start().await;
    let twin = app.second_instance(&[]).await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let doors = [tool.at(app.http()), tool.at(twin.http)];
    let strangers_secret = format!("whsec_{}", "A".repeat(40));
    let strangers = [doors[0].with_secret(&strangers_secret), doors[1].with_secret(&strangers_secret)];

    let authentic = join_all((0..150).map(async |number| until_served(&doors[number % 2], number).await));
    let forged =
        join_all((0..50).map(async |number| until_served(&strangers[number % 2], 1000 + number).await));
    let (authentic, forged) = futures::join!(authentic, forged);

    let told = |status| authentic.iter().filter(|answer| answer.status == status).count();
    assert_eq!((told(200), told(429)), (100, 50));
    for refused in authentic.iter().filter(|answer| answer.status == 429) {
        assert!(matches!(refused.retry_after(), Some(1..=60)), "{refused:?}");
        assert_eq!(refused.reason(), "RATE_LIMITED");
    }
    assert!(forged.iter().all(|answer| answer.status == 401), "{forged:?}");
    let owner = app.database.owner().await;
    assert_eq!(owner.value("SELECT count(*) FROM webhook_event").await, "100");
    assert_eq!(owner.value("SELECT count(*) FROM patient").await, "100");
}

/// P13.
#[tokio::test]
async fn a_limit_is_an_endpoints_own_and_ends_with_its_minute() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    limit_new_endpoints(&acme.admin, 3).await;
    let busy = acme.booking_tool(SignatureScheme::Legacy).await;
    let calm = acme.booking_tool(SignatureScheme::Legacy).await;
    let ping = said("ping", json!({}));
    let mut told = Vec::new();

    for _ in 0..4 {
        told.push(busy.tell(&ping).await.status.as_u16());
    }
    told.push(calm.tell(&ping).await.status.as_u16());
    let owner = app.database.owner().await;
    owner.run("UPDATE webhook_activity SET window_start_time = window_start_time - interval '60 s'").await;
    told.push(busy.tell(&ping).await.status.as_u16());

    assert_eq!(told, [200, 200, 200, 429, 200, 200]);
}

/// P1.
#[tokio::test]
async fn a_refused_delivery_leaves_no_trace_and_is_taken_when_it_is_repeated() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    limit_new_endpoints(&acme.admin, 1).await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    tool.tell(&registration(1)).await.kept();

    let refused = tool.tell(&registration(2)).await;
    let owner = app.database.owner().await;
    let kept = owner.value("SELECT count(*) FROM webhook_event").await;
    owner.run("UPDATE webhook_activity SET window_start_time = window_start_time - interval '60 s'").await;
    let repeated = tool.tell(&registration(2)).await;

    assert_eq!((refused.status.as_u16(), kept.as_str(), repeated.kept()), (429, "1", "success"));
}

/// P3, P13. What every registration of a practice waits for is locked: the other practices go on.
#[tokio::test]
async fn deliveries_that_wait_leave_the_connections_to_other_tenants() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    for tenant in [&acme, &globex] {
        limit_new_endpoints(&tenant.admin, NO_LIMIT).await;
    }
    let stuck = acme.booking_tool(SignatureScheme::Standard).await;
    let calm = globex.booking_tool(SignatureScheme::Standard).await;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    let arrivals = format!("pg_advisory_xact_lock(hashtextextended('{}/patients', 0))", acme.id);
    blocker.run(&format!("BEGIN; SELECT {arrivals}")).await;

    let waiting = join_all((0..32).map(async |number| until_served(&stuck, number).await));
    let meanwhile = async {
        let mut told = Vec::new();
        for number in 0..20 {
            told.push(calm.tell(&registration(number)).await.status.as_u16());
        }
        let taken = owner.value(WAITING).await;
        blocker.run("ROLLBACK").await;
        (told, taken)
    };
    let (waited, (told, taken)) = futures::join!(waiting, meanwhile);

    assert_eq!((told, taken.as_str()), (vec![200; 20], "2"));
    assert!(waited.iter().all(|answer| answer.status == 200), "{waited:?}");
    assert_eq!(owner.value("SELECT count(*) FROM patient").await, "52");
}

/// For as long a delivery waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// P3, P13. However many endpoints it has: of sixteen requests at once, the deliveries of one practice are
/// four, those that wait included.
#[tokio::test]
async fn deliveries_that_wait_leave_the_places_of_requests_to_other_tenants() {
    let app = TestApp::builder().setting("--max-concurrent-requests=16").start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let stuck = [
        acme.booking_tool(SignatureScheme::Standard).await,
        acme.booking_tool(SignatureScheme::Standard).await,
    ];
    let calm = globex.booking_tool(SignatureScheme::Standard).await;
    let blocker = app.database.owner().await;
    let arrivals = format!("pg_advisory_xact_lock(hashtextextended('{}/patients', 0))", acme.id);
    blocker.run(&format!("BEGIN; SELECT {arrivals}")).await;

    let begin = Instant::now();
    let mut waiting: FuturesUnordered<_> =
        (0..16).map(|number| stuck[number % 2].tell_bytes(registration(number).to_string().into())).collect();
    let refused: Vec<_> = waiting.by_ref().take(12).collect().await;
    let after = begin.elapsed();
    let meanwhile = calm.tell(&registration(1)).await;
    blocker.run("ROLLBACK").await;
    let waited: Vec<_> = waiting.collect().await;

    assert!(after < TURN, "{after:?}");
    for answer in &refused {
        assert_eq!((answer.status.as_u16(), answer.reason()), (503, "OVERLOADED"));
        assert!(answer.retry_after().is_some());
    }
    assert_eq!(meanwhile.kept(), "success");
    assert_eq!(waited.iter().map(Answer::kept).collect::<Vec<_>>(), ["success"; 4]);
}
