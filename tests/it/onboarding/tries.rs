//! What tries at webhooks cost: addresses, and a budget that may be small.

use stellwerk::{
    domain::upkeep,
    sandbox::asana::{Fault, Gid, Operation, Rule},
};

use crate::support::{
    PATIENCE,
    planned::{self, Planned},
    wait_until,
};

#[tokio::test]
async fn what_was_refused_is_asked_for_again_only_after_a_while() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    planned.asana.add_fault(Rule::next(1, Fault::HandshakeLost).on(Operation::CreateWebhook));
    planned.activate().await.unwrap();
    app.work_until_idle().await;

    planned.check(&app).await;
    assert_eq!(planned.asked(Operation::CreateWebhook), 1);

    planned.owner.run("UPDATE subscription SET check_time = check_time - interval '6 hours'").await;
    planned.check(&app).await;
    assert_eq!(planned.asked(Operation::CreateWebhook), 2);
}

#[tokio::test]
async fn no_more_addresses_are_made_than_webhooks_may_be_asked_for() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let projects: Vec<Gid> = (0..20).map(|number| planned.add_project(&format!("Haus {number}"))).collect();
    planned.with_projects(&projects).await;
    let addresses = "SELECT count(*) FROM webhook_endpoint";
    planned.budget(1, 0.001).await;

    planned.activate().await.unwrap();
    let is_put_off = "SELECT count(*) FROM outbox WHERE kind = 'subscription_check' AND NOT is_leased \
        AND run_time > now() + interval '1 minute'";
    wait_until("the check is put off", PATIENCE, async || planned.owner.value(is_put_off).await == "1").await;
    let made: u32 = planned.owner.value(addresses).await.parse().unwrap();
    assert!(made <= 4, "{made} addresses");

    planned.budget(1000, 1000.0).await;
    planned.asana.forget_requests();
    app.hurry().await;
    app.work_until_idle().await;
    assert_eq!(planned.asana.webhooks().len(), 21);
    assert_eq!(planned.owner.value(addresses).await, "21");
}

/// P13.
#[tokio::test]
async fn addresses_of_webhooks_that_were_refused_are_swept_after_a_day() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    planned.asana.add_fault(Rule::next(2, Fault::HandshakeLost).on(Operation::CreateWebhook));
    for _ in 0..3 {
        planned.activate().await.unwrap();
        app.work_until_idle().await;
    }
    let addresses = "SELECT count(*) FROM webhook_endpoint";
    upkeep::run(&app.domain).await;
    assert_eq!(planned.owner.value(addresses).await, "3");

    planned.owner.run("UPDATE webhook_endpoint SET disable_time = disable_time - interval '1 day'").await;
    upkeep::run(&app.domain).await;

    assert_eq!(planned.owner.value(addresses).await, "1");
}

#[tokio::test]
async fn a_list_of_webhooks_of_several_pages_is_read_to_its_end_one_page_at_a_time() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let projects: Vec<Gid> = (0..101).map(|number| planned.add_project(&format!("Haus {number}"))).collect();
    planned.with_webhooks(&app, &projects).await;
    planned.budget(1, 4.0).await;

    planned.check(&app).await;

    assert_eq!(planned.asked(Operation::ListWebhooks), 2);
}
