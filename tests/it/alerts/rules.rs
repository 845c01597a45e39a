//! What is watched, and how often it must be seen.

use super::*;

/// One row of a history, made so long ago.
async fn runs(watched: &Watched, state: &str, count: usize, ago: &str) {
    watched
        .owner
        .run(&format!(
            "INSERT INTO sync_log (tenant_id, id, integration_id, kind, state, cause, start_time, end_time) \
             SELECT '{}', overlay(gen_random_uuid()::text PLACING \
                 left(stellwerk_uuid_floor(now() - interval '{ago}')::text, 14) || '7' FROM 1 FOR 15)::uuid, \
                 '{}', 'scheduled', '{state}', 'schedule/test', now() - interval '{ago}', \
                 now() - interval '{ago}' FROM generate_series(1, {count})",
            watched.tenant, watched.integration
        ))
        .await;
}

async fn messages(watched: &Watched, count: usize, kind: &str) {
    watched
        .owner
        .run(&format!(
            "INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause) \
             SELECT '{}', gen_random_uuid(), '{kind}', n::text, '{{}}', 'c' \
             FROM generate_series(1, {count}) n",
            watched.tenant
        ))
        .await;
}

#[tokio::test]
async fn nothing_is_wrong_with_a_tenant_that_is_at_its_thresholds() {
    let watched = Watched::new().await;
    runs(&watched, "failed", 5, "10 min").await;
    runs(&watched, "failed", 50, "2 days").await;
    watched.open_items(10).await;
    messages(&watched, 50, "sync_run").await;
    // Fewer than a share is worth.
    runs(&watched, "succeeded", 14, "10 min").await;

    watched.look(14).await;

    assert_eq!(watched.told().await, []);
}

#[tokio::test]
async fn failures_within_an_hour_are_counted_per_integration() {
    let watched = Watched::new().await;
    runs(&watched, "failed", 6, "10 min").await;

    watched.look(1).await;

    let [alert] = &watched.alerts().await[..] else { panic!("not one alert") };
    assert_eq!((alert.rule, alert.value, alert.threshold), (AlertRule::Failures, 6.0, 5.0));
    assert_eq!((alert.state, alert.integration_id), (AlertState::Pending, Some(watched.integration)));
}

#[tokio::test]
async fn dead_letters_are_failures_except_for_notices_that_could_not_be_delivered() {
    let watched = Watched::new().await;
    messages(&watched, 20, "alert_delivery").await;
    watched.owner.run("UPDATE outbox SET state = 'dead', reason = 'HTTP_404'").await;
    watched.look(1).await;
    let notices = watched.told().await;

    messages(&watched, 6, "patient_import").await;
    watched
        .owner
        .run(
            "UPDATE outbox SET state = 'dead', is_head = false, reason = 'why' WHERE kind = 'patient_import'",
        )
        .await;
    watched.look(2).await;

    assert_eq!(notices, []);
    assert_eq!(watched.told().await, [(AlertRule::Failures, AlertState::Pending, 6.0)]);
    assert_eq!(watched.alerts().await[0].integration_id, None);
}

#[tokio::test]
async fn a_share_of_successes_below_the_threshold_is_told_from_twenty_on() {
    let watched = Watched::new().await;
    runs(&watched, "succeeded", 95, "5 h").await;
    runs(&watched, "failed", 5, "5 h").await;

    watched.look(1).await;

    assert_eq!(watched.told().await, [(AlertRule::SyncSuccess, AlertState::Pending, 0.95)]);
}

/// A full calendar is no failure of ours.
#[tokio::test]
async fn a_refusal_that_only_says_that_the_time_is_taken_counts_neither_way() {
    let watched = Watched::new().await;
    let writes = |reason: &str, state: &str, count: usize| {
        let (tenant, integration) = (watched.tenant, watched.integration);
        format!(
            "INSERT INTO appointment (tenant_id, id, status, start_time, end_time, occupied_start_time, \
                 occupied_end_time, time_zone, origin, last_change_origin) \
             SELECT '{tenant}', gen_random_uuid(), 'cancelled', now(), now() + interval '1 h', now(), \
                 now() + interval '1 h', 'UTC', 'admin', 'admin' FROM generate_series(1, {count}); \
             INSERT INTO intent (tenant_id, id, integration_id, appointment_id, kind, fingerprint, state, \
                 reason, cause) \
             SELECT '{tenant}', stellwerk_uuid_floor(\
                 now() - row_number() OVER () * interval '1 ms' - {count} * interval '1 s'), \
                 '{integration}', id, 'create', '', '{state}', '{reason}', 'c' \
             FROM (SELECT id FROM appointment ORDER BY random() LIMIT {count}) a"
        )
    };

    watched.owner.run(&writes("", "done", 30)).await;
    watched.owner.run(&writes("SLOT_TAKEN", "refused", 10)).await;
    watched.look(1).await;
    let taken = watched.told().await;
    watched.owner.run(&writes("VALIDATION", "refused", 2)).await;
    watched.look(2).await;

    assert_eq!(taken, []);
    assert_eq!(watched.told().await, [(AlertRule::SyncSuccess, AlertState::Pending, 30.0 / 32.0)]);
}

#[tokio::test]
async fn items_and_messages_that_wait_are_counted_for_the_tenant_as_a_whole() {
    let watched = Watched::new().await;
    watched.open_items(11).await;
    messages(&watched, 51, "sync_run").await;

    watched.look(1).await;

    let mut told = watched.told().await;
    told.sort_by_key(|(rule, ..)| rule.as_str());
    let pending = |rule, value| (rule, AlertState::Pending, value);
    assert_eq!(told, [pending(AlertRule::OutboxDepth, 51.0), pending(AlertRule::ReviewQueue, 11.0)]);
}

/// P15. A provider that is not read is told of, whatever the reason, except if a person wanted it so.
#[tokio::test]
async fn what_was_not_read_for_too_long_is_told_unless_a_person_paused_it() {
    let watched = Watched::new().await;
    let at = |minutes: i64| watched.begin + TimeDelta::minutes(minutes);
    let read_at = |minutes| {
        format!(
            "INSERT INTO sync_cursor (tenant_id, integration_id, noun, last_run_time) \
             VALUES ('{}', '{}', 'bookings', '{}') \
             ON CONFLICT (tenant_id, integration_id, noun) \
             DO UPDATE SET last_run_time = excluded.last_run_time",
            watched.tenant,
            watched.integration,
            at(minutes)
        )
    };

    watched.owner.run(&read_at(30)).await;
    watched.look(44).await;
    let fresh = watched.told().await;
    watched.look(46).await;
    let stale = watched.alerts().await;
    watched.owner.run("UPDATE integration SET state = 'needs_reconnect'").await;
    watched.look(47).await;
    let unconnected = watched.told().await;
    watched.owner.run("UPDATE integration SET inbound_paused = true").await;
    watched.look(48).await;
    watched.look(49).await;

    assert_eq!(fresh, []);
    assert_eq!(
        (stale[0].rule, stale[0].threshold, stale[0].value.round()),
        (AlertRule::Freshness, 900.0, 960.0)
    );
    assert_eq!((unconnected[0].1, unconnected.len()), (AlertState::Firing, 1));
    assert_eq!(watched.alerts().await[0].state, AlertState::Ended);
}

/// What is not asked cannot be late: no adapter reads it, nobody said what is to be read, or nobody agreed.
#[tokio::test]
async fn what_nobody_reads_yet_is_not_told_as_late() {
    const READ: &str = "UPDATE integration SET provider = 'asana'; INSERT INTO planning_settings \
        (tenant_id, integration_id, initial_sync_time) SELECT tenant_id, id, now() FROM integration";
    const AGREED: &str = "UPDATE integration SET consent_required = true; INSERT INTO consent \
        (tenant_id, id, integration_id, subject, scopes, text_version) \
        SELECT tenant_id, id, id, 'desk', '{appointments}', '1' FROM integration";
    for (change, is_late) in [
        ("UPDATE integration SET provider = 'github'", false),
        ("UPDATE integration SET provider = 'asana'", false),
        (READ, true),
        ("UPDATE integration SET consent_required = true", false),
        (AGREED, true),
    ] {
        let watched = Watched::new().await;
        watched.owner.run(change).await;

        watched.look(46).await;

        assert_eq!(watched.told().await.len(), usize::from(is_late), "{change}");
    }
}

/// P3.
#[tokio::test]
async fn another_tenants_trouble_is_not_ones_own() {
    let watched = Watched::new().await;
    watched.open_items(11).await;
    let other = TenantId::new();
    watched
        .owner
        .run(&format!("INSERT INTO tenant (tenant_id, name) VALUES ('{other}', 'Praxis Beispiel')"))
        .await;

    for minute in [1, 2] {
        let now = watched.begin + TimeDelta::minutes(minute);
        alert::check(&watched.domain, other, &Thresholds::default(), now).await.unwrap();
    }

    assert_eq!(watched.owner.value("SELECT count(*) FROM alert").await, "0");
}

#[tokio::test]
async fn an_alert_begins_at_the_second_look_ends_at_the_second_and_is_told_at_both() {
    let watched = Watched::new().await;
    watched.put(AlertDestinationKind::Webhook, "https://hooks.example.org/a", &[]).await;
    let notices = async || watched.owner.value("SELECT count(*) FROM outbox").await;
    let mut counts = Vec::new();

    watched.open_items(11).await;
    for minute in 1..=4 {
        watched.look(minute).await;
        counts.push(notices().await);
    }
    watched.close_items().await;
    for minute in 5..=7 {
        watched.look(minute).await;
        counts.push(notices().await);
    }

    assert_eq!(counts, ["0", "1", "1", "1", "1", "2", "2"]);
    let [alert] = &watched.alerts().await[..] else { panic!("not one alert") };
    let minute = |minute| watched.begin + TimeDelta::minutes(minute);
    let micros = |time: DateTime<Utc>| time.timestamp_micros();
    assert_eq!((alert.state, alert.value), (AlertState::Ended, 0.0));
    assert_eq!(micros(alert.begin_time), micros(minute(1)));
    assert_eq!(alert.end_time.map(micros), Some(micros(minute(6))));
}

#[tokio::test]
async fn what_comes_and_goes_is_told_to_nobody_and_leaves_no_trace() {
    let watched = Watched::new().await;
    watched.put(AlertDestinationKind::Webhook, "https://hooks.example.org/a", &[]).await;

    for minute in 0..6 {
        watched.open_items(if minute % 2 == 0 { 11 } else { 0 }).await;
        watched.look(minute).await;
        watched.close_items().await;
        watched.owner.run("DELETE FROM review_item").await;
    }

    assert_eq!(watched.told().await, []);
    assert_eq!(watched.owner.value("SELECT count(*) FROM outbox").await, "0");
}

#[tokio::test]
async fn what_goes_on_is_told_again_after_four_hours_and_not_before() {
    let watched = Watched::new().await;
    watched.put(AlertDestinationKind::Webhook, "https://hooks.example.org/a", &[]).await;
    watched.open_items(11).await;
    // Only that one is to go on.
    watched.owner.run("UPDATE integration SET inbound_paused = true").await;
    let notices = async || watched.owner.value("SELECT count(*) FROM outbox").await;

    watched.look(1).await;
    watched.look(2).await;
    watched.look(2 + 239).await;
    let before = notices().await;
    watched.look(2 + 240).await;

    assert_eq!((before.as_str(), notices().await.as_str()), ("1", "2"));
}

/// P14. Otherwise two instances would see everything twice as often, and damp half as much.
#[tokio::test]
async fn of_several_instances_one_looks_in_a_minute() {
    let watched = Watched::new().await;
    let idle = TenantId::new();
    watched
        .owner
        .run(&format!("INSERT INTO tenant (tenant_id, name) VALUES ('{idle}', 'Praxis Beispiel')"))
        .await;
    let store = &watched.domain.store;
    // Not in the minute before.
    let taken = async |times: usize| {
        let mut taken = Vec::new();
        for _ in 0..times {
            taken.extend(stellwerk::store::alert::take_turn(store).await.unwrap());
        }
        taken
    };

    let first = taken(3).await;
    watched.owner.run("UPDATE schedule_run SET occurrence_time = occurrence_time - interval '1 min'").await;
    let second = taken(3).await;

    // A minute may have begun meanwhile.
    assert!((1..=2).contains(&first.len()) && first.iter().all(|of| *of == watched.tenant), "{first:?}");
    assert!((1..=2).contains(&second.len()), "{second:?}");
}

/// What is disconnected is not measured any more, and its alert must end all the same.
#[tokio::test]
async fn the_alert_of_an_integration_that_is_disconnected_ends() {
    let watched = Watched::new().await;
    watched.look(16).await;
    watched.look(17).await;
    let firing = watched.told().await;
    watched.owner.run("UPDATE integration SET state = 'disconnected'").await;
    let turn = stellwerk::store::alert::take_turn(&watched.domain.store).await.unwrap();

    watched.look(18).await;
    watched.look(19).await;

    assert_eq!((firing[0].0, firing[0].1), (AlertRule::Freshness, AlertState::Firing));
    assert_eq!(turn, [watched.tenant]);
    assert_eq!(watched.alerts().await[0].state, AlertState::Ended);
    watched.owner.run("DELETE FROM schedule_run").await;
    assert_eq!(stellwerk::store::alert::take_turn(&watched.domain.store).await.unwrap(), []);
}

/// P13.
#[tokio::test]
async fn alerts_that_ended_long_ago_are_forgotten() {
    let watched = Watched::new().await;
    watched.open_items(11).await;
    watched.look(1).await;
    watched.look(2).await;
    watched.close_items().await;
    watched.look(3).await;
    watched.look(4).await;
    watched.owner.run("UPDATE integration SET state = 'disconnected'").await;
    let days = |days: i64| 4 + days * 24 * 60;

    watched.look(days(89)).await;
    let kept = watched.told().await.len();
    watched.look(days(91)).await;

    assert_eq!((kept, watched.told().await.len()), (1, 0));
}

/// The rules read codes in the database: a code that comes to be must be sorted there, too.
#[tokio::test]
async fn the_database_knows_which_refusals_are_a_full_calendars() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    for code in RefusalCode::ALL {
        let is_calendars = match code {
            RefusalCode::SlotTaken
            | RefusalCode::RaceLost
            | RefusalCode::OutsideBookingWindow
            | RefusalCode::NoSeats
            | RefusalCode::AttendeeLimit
            | RefusalCode::ReservationOverlap
            | RefusalCode::AlreadyCancelled
            | RefusalCode::AlreadyRescheduled
            | RefusalCode::AlreadyEnded => "t",
            RefusalCode::ChangeDisabled
            | RefusalCode::ReasonRequired
            | RefusalCode::NotFound
            | RefusalCode::NotAllowed
            | RefusalCode::EmailVerification
            | RefusalCode::AttendeeBlocked
            | RefusalCode::NoHosts
            | RefusalCode::Duplicate
            | RefusalCode::Validation
            | RefusalCode::Refused => "f",
        };
        let said = owner.value(&format!("SELECT stellwerk_is_calendars_answer('{code}')")).await;
        assert_eq!(said, is_calendars, "{code}");
    }
}
