//! A tool that says what nobody understands is not passed over in silence.

use uuid::Uuid;

use super::*;

/// A delivery that ended like this so long ago, at an address of its own.
async fn events(watched: &Watched, status: &str, ago: &str) {
    let (tenant, integration, endpoint) = (watched.tenant, watched.integration, Uuid::now_v7());
    watched
        .owner
        .run(&format!(
            "INSERT INTO webhook_endpoint (tenant_id, id, integration_id, provider, name, token_hash, \
                 sealed_token, scheme, limit_per_minute) \
             VALUES ('{tenant}', '{endpoint}', '{integration}', 'calcom', 'Calendar', sha256('{endpoint}'), \
                 '\\x00', 'calcom', 100); \
             INSERT INTO webhook_event (tenant_id, id, webhook_endpoint_id, integration_id, provider, \
                 event_type, status, cause, receive_time, body_size_bytes) \
             SELECT '{tenant}', stellwerk_uuid_floor(at), '{endpoint}', '{integration}', 'calcom', \
                 'BOOKING_CREATED', '{status}', 'delivery', at, 2 FROM (SELECT now() - interval '{ago}') t (at)"
        ))
        .await;
}

/// P12.
#[tokio::test]
async fn a_quarantined_delivery_of_this_hour_is_an_alert_of_its_integration() {
    let watched = Watched::new().await;
    events(&watched, "ignored", "10 min").await;
    events(&watched, "quarantined", "2 h").await;
    watched.look(1).await;
    let before = watched.told().await;

    events(&watched, "quarantined", "10 min").await;
    watched.look(2).await;

    assert_eq!(before, []);
    assert_eq!(watched.told().await, [(AlertRule::Quarantine, AlertState::Pending, 1.0)]);
    assert_eq!(watched.alerts().await[0].integration_id, Some(watched.integration));
}
