//! The dashboard.

use chrono::Utc;
use stellwerk::{
    domain::integration::{self, Health},
    sandbox::asana::{Fault, Operation, Rule},
};

use crate::support::asana::{self, Planner, day, refusal};

#[tokio::test]
async fn a_dashboard_tells_what_is_read_and_what_is_not() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let before = status(&planner).await.planning.expect("of a planning tool");
    assert!(before.settings.is_some_and(|settings| settings.initial_sync_time.is_none()));
    planner.user("Erika Muster", "erika@example.org");
    let task = planner.task("Rohbau", "2026-11-13");
    planner.sync().await;
    assert_eq!(status(&planner).await.ages.changes, 0, "what the first run finds is no change");
    let practitioner = tenant.put_practitioner("Mara Vogt").await;
    planner.map(&planner.boss, &practitioner).await;
    planner.boss.set_dates(task, None, Some(day("2026-12-24"))).expect("changed");
    planner.poll().await;
    planner.read_absences().await;
    planner.read_hours().await;

    let found = status(&planner).await;
    let health = integration::health(&found);
    let planning = found.planning.expect("of a planning tool");

    assert_eq!(health, (Health::Healthy, None));
    assert_eq!((planning.mapped_users, planning.unmapped_users), (1, 1));
    assert_eq!((planning.projects, planning.phases), (1, 1));
    assert_eq!(planning.areas.len(), 3);
    assert!(planning.last_absences_time.is_some() && planning.last_time_entries_time.is_some());
    assert!(planning.oldest_poll_time.is_some() && found.reconciled_time.is_some());
    assert_eq!(found.runs.failed, 0);
    assert!(found.runs.total >= 2);
    assert!(found.ages.last_s.is_some_and(|age| age < 60.0));
}

/// P12.
#[tokio::test]
async fn what_cannot_be_read_is_seen_on_the_dashboard() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 1).await;
    planner.boss.log_time(tasks[0], 30, day("2026-11-03")).expect("logged");
    double
        .add_fault(Rule::always(Fault::Refused { refusal: refusal(402) }).on(Operation::ListTaskTimeEntries));

    planner.sync().await;

    let health = integration::health(&status(&planner).await);
    assert_eq!(health, (Health::Degraded, Some("TIME_ENTRIES_UNAVAILABLE".into())));
}

async fn status(planner: &Planner) -> integration::Status {
    let (domain, admin) = (&planner.domain, planner.admin());
    integration::status(domain, &admin, planner.integration, Utc::now()).await.expect("a status")
}
