//! Appointments: slots of practitioners' time, and every change of them.
//!
//! A status that an index is partial on stands in the statement as a word:
//! a bound one would hide the index from generic plans.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl,
    Selectable, SelectableHelper, insert_into,
    prelude::{AsChangeset, Insertable, Queryable},
    sql_types::Bool,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::appointment};
use crate::{
    error::{Error, Noun, Result},
    ids::{AppointmentId, IntegrationId, MessageId, PatientId, PractitionerId, ServiceId},
    page::{Page, Paged},
    words::{AppointmentStatus, ChangeKind, Origin, ProviderSync},
};

mod change;
mod conflicts;
mod differing;
mod of_patient;
mod removal;
mod watched;

pub use change::{Change, changes, insert_change, last_local_change};
pub use conflicts::{beside, conflicts_of};
pub use differing::differing_at_provider;
pub use of_patient::{move_to_patient, of_patient, practitioners_of_patients};
pub use removal::{remove, remove_of_patient};
pub use watched::{Horizon, Leave, Position, Whose, changes_after, horizon, leaves_after};

/// No slot is longer, buffers included: 24 hours and twice 4 (the tables and the field rules say so).
const LONGEST_SLOT: TimeDelta = TimeDelta::hours(48);
/// Conflicting appointments that one freed slot is offered to, at most.
const PROMOTED: i64 = 100;

/// A slot of a practitioner's time.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = appointment, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Appointment {
    pub id: AppointmentId,
    pub patient_id: Option<PatientId>,
    /// Without one it excludes nothing.
    pub practitioner_id: Option<PractitionerId>,
    pub service_id: Option<ServiceId>,
    /// The practitioner's name as the source wrote it.
    pub therapist_name: Option<String>,
    /// The service's name as the source wrote it.
    pub service_name: Option<String>,
    pub status: AppointmentStatus,
    pub start_time: DateTime<Utc>,
    pub end_time: DateTime<Utc>,
    /// The begin less the service's buffer: from here on nobody else may have the practitioner.
    pub occupied_start_time: DateTime<Utc>,
    pub occupied_end_time: DateTime<Utc>,
    /// The attendee's IANA name or offset.
    pub time_zone: String,
    /// Present while held, and only then.
    pub hold_expire_time: Option<DateTime<Utc>>,
    pub origin: Origin,
    pub last_change_origin: Origin,
    pub integration_id: Option<IntegrationId>,
    pub external_id: Option<String>,
    /// When the source last spoke of it.
    pub sync_time: Option<DateTime<Utc>>,
    pub cancel_reason: Option<String>,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
    #[diesel(embed)]
    pub sync: SyncStanding,
}

/// Whether the provider has what stands here.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = appointment, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct SyncStanding {
    pub provider_sync: ProviderSync,
    /// Tries of the write that is, or was last, on its way.
    pub provider_sync_attempts: i32,
    /// When that write was caused.
    pub provider_sync_time: Option<DateTime<Utc>>,
    /// By whom.
    pub provider_sync_cause: Option<String>,
    pub provider_sync_message_id: Option<MessageId>,
    /// The code of what went wrong last.
    pub provider_sync_reason: Option<String>,
    /// When it was left to a person.
    pub provider_sync_review_time: Option<DateTime<Utc>>,
}

impl Default for SyncStanding {
    /// Of an appointment that no provider has to do with.
    fn default() -> Self {
        Self {
            provider_sync: ProviderSync::None,
            provider_sync_attempts: 0,
            provider_sync_time: None,
            provider_sync_cause: None,
            provider_sync_message_id: None,
            provider_sync_reason: None,
            provider_sync_review_time: None,
        }
    }
}

/// Which appointments a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub patient: Option<PatientId>,
    pub practitioner: Option<PractitionerId>,
    /// Only those that begin at or after this instant.
    pub start_time_from: Option<DateTime<Utc>>,
    /// Only those that begin before this instant.
    pub start_time_until: Option<DateTime<Utc>>,
    pub origin: Option<Origin>,
    pub status: Option<AppointmentStatus>,
    /// Only those without a practitioner.
    pub unassigned: bool,
    pub provider_sync: Option<ProviderSync>,
}

/// Where a page of appointments ended: start time and id.
pub type Cursor = (DateTime<Utc>, AppointmentId);

impl Appointment {
    /// Whether it keeps others from the practitioner's time.
    pub fn occupies(&self) -> bool {
        self.practitioner_id.is_some()
            && matches!(self.status, AppointmentStatus::Held | AppointmentStatus::Booked)
    }
}

/// Adds an appointment. Errors: `SlotTaken`, and then the transaction can still go on,
/// which saves a savepoint.
pub async fn insert(tx: &mut TenantTx, new: &Appointment) -> Result<()> {
    let statement = insert_into(appointment::table).values(new).on_conflict_do_nothing();
    let added = Cached(statement).execute(tx.conn()).await?;
    if added == 1 { Ok(()) } else { Err(Error::SlotTaken) }
}

/// Writes an appointment as it stands in `changed`.
/// Errors: `SlotTaken`, and then only a savepoint saves the transaction.
pub async fn update(tx: &mut TenantTx, changed: &Appointment) -> Result<()> {
    let statement = diesel::update(appointment::table.filter(appointment::id.eq(changed.id))).set(changed);
    let written = Cached(statement).execute(tx.conn()).await?;
    if written == 1 { Ok(()) } else { Err(Error::NotFound(Noun::Appointment)) }
}

/// Writes whether the provider has what stands here, and nothing else.
pub async fn update_sync(tx: &mut TenantTx, id: AppointmentId, sync: &SyncStanding) -> Result<()> {
    let statement = diesel::update(appointment::table.filter(appointment::id.eq(id))).set(sync);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Writes when the source last spoke of an appointment.
pub async fn update_sync_time(
    tx: &mut TenantTx,
    id: AppointmentId,
    time: Option<DateTime<Utc>>,
) -> Result<()> {
    let statement = diesel::update(appointment::table.filter(appointment::id.eq(id)))
        .set(appointment::sync_time.eq(time));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// One appointment. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: AppointmentId) -> Result<Appointment> {
    let query = appointment::table.filter(appointment::id.eq(id)).select(Appointment::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Appointment))
}

/// One appointment, locked until the transaction ends; rows that refer to it may be written meanwhile, so
/// that nobody who writes them first and locks it then waits in a circle. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: AppointmentId) -> Result<Appointment> {
    let query = appointment::table
        .filter(appointment::id.eq(id))
        .select(Appointment::as_select())
        .for_no_key_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Appointment))
}

/// A page by start time and id.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<Cursor>,
) -> Result<Paged<Appointment, Cursor>> {
    let mut query = appointment::table
        .order((appointment::start_time, appointment::id))
        .limit(page.limit())
        .select(Appointment::as_select())
        .into_boxed();
    if let Some(provider_sync) = filter.provider_sync {
        query = query.filter(stands(provider_sync));
    }
    if let Some(patient) = filter.patient {
        query = query.filter(appointment::patient_id.eq(patient));
    }
    if let Some(practitioner) = filter.practitioner {
        query = query.filter(appointment::practitioner_id.eq(practitioner));
    }
    if let Some(from) = filter.start_time_from {
        query = query.filter(appointment::start_time.ge(from));
    }
    if let Some(until) = filter.start_time_until {
        query = query.filter(appointment::start_time.lt(until));
    }
    if let Some(origin) = filter.origin {
        query = query.filter(appointment::origin.eq(origin));
    }
    if let Some(status) = filter.status {
        query = query.filter(is(status));
    }
    if filter.unassigned {
        query = query.filter(appointment::practitioner_id.is_null());
    }
    if let Some((start, id)) = page.after {
        // The first half alone is what the index can be entered with.
        query = query
            .filter(appointment::start_time.ge(start))
            .filter(appointment::start_time.gt(start).or(appointment::id.gt(id)));
    }
    Ok(page.cut(Cached(query).load(tx.conn()).await?, |row: &Appointment| (row.start_time, row.id)))
}

/// Cancels the practitioner's holds that have run out, and returns them.
pub async fn expire_holds(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    now: DateTime<Utc>,
) -> Result<Vec<Appointment>> {
    let run_out = appointment::table
        .filter(appointment::practitioner_id.eq(practitioner))
        .filter(is(AppointmentStatus::Held))
        .filter(appointment::hold_expire_time.le(now));
    let statement = diesel::update(run_out).set((
        appointment::status.eq(AppointmentStatus::Cancelled),
        appointment::hold_expire_time.eq(None::<DateTime<Utc>>),
        appointment::last_change_origin.eq(Origin::System),
        appointment::update_time.eq(now),
    ));
    let expired: Vec<Appointment> =
        Cached(statement.returning(Appointment::as_returning())).get_results(tx.conn()).await?;
    let changes =
        expired.iter().map(|row| Change::of(row, ChangeKind::Status, Origin::System, "system", now));
    change::insert_changes(tx, changes.collect()).await?;
    Ok(expired)
}

/// Conflicting appointments that want some of this time, locked, first come first.
pub async fn conflicting(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Appointment>> {
    let query = appointment::table
        .filter(appointment::practitioner_id.eq(practitioner))
        .filter(is(AppointmentStatus::Conflicting))
        .filter(
            appointment::occupied_start_time
                .lt(until)
                .and(appointment::occupied_start_time.ge(from - LONGEST_SLOT)),
        )
        .filter(appointment::occupied_end_time.gt(from))
        .order(appointment::id)
        .limit(PROMOTED)
        .select(Appointment::as_select())
        .for_no_key_update();
    Ok(Cached(query).load(tx.conn()).await?)
}

/// Held and booked appointments that take some of this time.
pub async fn overlapping(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<AppointmentId>> {
    // Bounded twice: the index knows when appointments start, the rule is about the time they occupy.
    let query = appointment::table
        .filter(appointment::practitioner_id.eq(practitioner))
        .filter(appointment::status.eq_any([AppointmentStatus::Held, AppointmentStatus::Booked]))
        .filter(
            appointment::start_time
                .ge(from - LONGEST_SLOT)
                .and(appointment::start_time.lt(until + LONGEST_SLOT)),
        )
        .filter(appointment::occupied_start_time.lt(until).and(appointment::occupied_end_time.gt(from)))
        .order((appointment::start_time, appointment::id))
        .select(appointment::id);
    Ok(query.load(tx.conn()).await?)
}

/// The times of a practitioner's that are taken between these instants. Holds that have run out take none.
pub async fn taken(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>> {
    let query = appointment::table
        .filter(appointment::practitioner_id.eq(practitioner))
        .filter(appointment::status.eq_any([AppointmentStatus::Held, AppointmentStatus::Booked]))
        .filter(appointment::hold_expire_time.is_null().or(appointment::hold_expire_time.gt(now)))
        .filter(
            appointment::start_time
                .ge(from - LONGEST_SLOT)
                .and(appointment::start_time.lt(until + LONGEST_SLOT)),
        )
        .order(appointment::start_time)
        .select((appointment::occupied_start_time, appointment::occupied_end_time));
    Ok(query.load(tx.conn()).await?)
}

/// The names, as sources wrote them, of those who take appointments from `from` on without being assigned to
/// anybody.
pub async fn unassigned_names(tx: &mut TenantTx, from: DateTime<Utc>) -> Result<Vec<String>> {
    let query = appointment::table
        .filter(appointment::practitioner_id.is_null())
        .filter(appointment::start_time.ge(from))
        .filter(appointment::therapist_name.is_not_null())
        .select(appointment::therapist_name.assume_not_null())
        .distinct();
    Ok(query.load(tx.conn()).await?)
}

/// Unassigned appointments from `from` on with one of these names, locked, by start time, at most `limit`.
pub async fn unassigned(
    tx: &mut TenantTx,
    names: &[String],
    from: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Appointment>> {
    let query = appointment::table
        .filter(appointment::practitioner_id.is_null())
        .filter(appointment::start_time.ge(from))
        .filter(appointment::therapist_name.eq_any(names))
        .order((appointment::start_time, appointment::id))
        .limit(limit)
        .select(Appointment::as_select())
        .for_no_key_update();
    Ok(query.load(tx.conn()).await?)
}

/// `status = '…'`, with the word in the statement; diesel caches such statements only when told to.
fn is(status: AppointmentStatus) -> diesel::expression::SqlLiteral<Bool> {
    diesel::dsl::sql::<Bool>(&format!("appointment.status = '{status}'"))
}

/// `provider_sync = '…'`, likewise.
fn stands(provider_sync: ProviderSync) -> diesel::expression::SqlLiteral<Bool> {
    diesel::dsl::sql::<Bool>(&format!("appointment.provider_sync = '{provider_sync}'"))
}
