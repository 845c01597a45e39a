//! Rows from the database and back.

use chrono::{DateTime, Utc};

use super::rows::Rows;
use crate::{
    error::Result,
    ids::{AppointmentId, IntegrationId},
    store::{self, TenantTx, booking::Booking},
};

/// Moves of one booking that are followed, at most.
const FOLLOWED: usize = 200;

/// The bookings with these uids, with all that are connected with them.
pub(super) async fn load<'a>(
    tx: &mut TenantTx,
    integration: IntegrationId,
    uids: impl Iterator<Item = &'a String>,
) -> Result<Rows> {
    let mut rows = Rows::new(integration, Vec::new());
    let mut wanted: Vec<String> = uids.cloned().collect();
    let mut asked: Vec<String> = Vec::new();
    while let Some(uid) = wanted.pop() {
        if asked.contains(&uid) || asked.len() >= FOLLOWED {
            continue;
        }
        let mut found: Vec<Booking> = Vec::new();
        if rows.of(&uid).is_none() {
            found.extend(store::booking::find(tx, integration, &uid).await?);
        }
        found.extend(store::booking::predecessor(tx, integration, &uid).await?);
        for row in found {
            match row.appointment_id {
                // All that is connected with it has the same appointment.
                Some(id) => rows.join(store::booking::lineage(tx, id).await?),
                None => {
                    wanted.extend(
                        [Some(row.external_id.clone()), row.successor_external_id.clone()]
                            .into_iter()
                            .flatten(),
                    );
                    rows.join(vec![row]);
                }
            }
        }
        asked.push(uid);
    }
    Ok(rows)
}

/// Writes what is new or another than `before`, all of it as the lineage of one appointment.
pub(super) async fn save(
    tx: &mut TenantTx,
    before: &Rows,
    mut rows: Rows,
    appointment: Option<AppointmentId>,
    now: DateTime<Utc>,
) -> Result<()> {
    rows.give_to(appointment);
    for row in rows.all() {
        match before.of(&row.external_id) {
            _ if rows.is_fresh(row) => store::booking::insert(tx, row).await?,
            Some(known) if known == row => {}
            _ => store::booking::save(tx, &Booking { update_time: now, ..row.clone() }).await?,
        }
    }
    Ok(())
}
