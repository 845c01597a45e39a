//! What `dev` prints: where everything is, and commands to paste.

use std::{net::SocketAddr, path::Path};

use chrono::{Days, NaiveDate, SecondsFormat};

use super::{asana::Planned, calcom::Bookable, demo::Demo};

pub(super) struct Addresses {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) metrics: SocketAddr,
    pub(super) sandbox: SocketAddr,
    /// With scheme.
    pub(super) calcom: String,
    /// With scheme.
    pub(super) asana: String,
}

/// Each command stands alone, so that any of them works when pasted by itself.
pub(super) fn welcome(
    at: &Addresses,
    demo: &Demo,
    (bookable, planned): (Option<&Bookable>, Option<&Planned>),
    data_dir: &Path,
) -> String {
    let Addresses { grpc, http, metrics, sandbox, calcom, asana } = at;
    let Demo { tenant_id, admin_key, webhook_endpoint_id, webhook_path, webhook_secret, .. } = demo;
    let data_dir = data_dir.display();
    let phone_call = bookable.map(|bookable| phone_call(at, demo, bookable)).unwrap_or_default();
    let planning = planned.map(|planned| planning(at, demo, planned)).unwrap_or_default();
    format!(
        r#"stellwerk runs.

  gRPC, grpc-web   http://{grpc}
  HTTP adapter     http://{http}   (/healthz, /readyz)
  metrics          http://{metrics}/metrics
  booking tool     http://{sandbox}/   (its double; shows what it can do)
  Cal.com          {calcom}/   (its double, linked with the tenant; shows what it can do)
  Asana            {asana}/   (its double, linked with the tenant; shows what it can do)
  data             {data_dir}   (secrets of the demo in demo.json)

  tenant           {tenant_id}
  admin key        {admin_key}
  webhook address  http://{http}{webhook_path}
  its id           {webhook_endpoint_id}

A patient registers, by a signed webhook (repeat it: the same patient is updated):

  body='{{"id":"evt_'$(date +%s)'","event":"patient.created","data":{{"id":"p-1","vorname":"Erika","nachname":"Muster","email":"erika@example.org"}}}}'; \
  curl -sS http://{http}{webhook_path} -H 'content-type: application/json' \
    -H "x-webhook-signature: sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac '{webhook_secret}' -r | cut -d' ' -f1)" -d "$body"

The desk sees the patient, by buf curl or grpcurl:

  clients/node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {admin_key}' \
    -d '{{"email": "erika@example.org"}}' http://{grpc}/stellwerk.v1.PatientService/ListPatients

  grpcurl -plaintext -H 'authorization: Bearer {admin_key}' -d '{{"email": "erika@example.org"}}' {grpc} stellwerk.v1.PatientService/ListPatients

The booking tool invents a registration or a booking:

  curl -sS -X POST http://{sandbox}/tick
{phone_call}
An attendee books at Cal.com, and moments later the appointment is here:

  curl -sS -X POST {calcom}/sandbox/tick

  clients/node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {admin_key}' \
    -d '{{"origin": "SYNC_ORIGIN_CALCOM"}}' http://{grpc}/stellwerk.v1.AppointmentService/ListAppointments
{planning}
Ctrl-C stops everything, PostgreSQL too.
"#
    )
}

/// A booking by phone: the answer waits until Cal.com has it.
fn phone_call(at: &Addresses, demo: &Demo, bookable: &Bookable) -> String {
    let Addresses { grpc, calcom, .. } = at;
    let (Some(patient), Some(key)) = (demo.patient_id, &demo.phone_key) else { return String::new() };
    let Bookable { practitioner, service, start } = bookable;
    let start = start.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!(
        r#"
A phone assistant books, and the answer comes when Cal.com has it (paste it again: the slot is taken):

  clients/node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {key}' \
    -d '{{"patient_id": "{patient}", "practitioner_id": "{practitioner}", "service_id": "{service}", "start_time": "{start}", "wait_for_provider": "10s"}}' \
    http://{grpc}/stellwerk.v1.AppointmentService/BookAppointment

  curl -sS {calcom}/sandbox/bookings
"#
    )
}

/// A phase moved here goes to the board five seconds later, and one moved at the board comes here.
fn planning(at: &Addresses, demo: &Demo, planned: &Planned) -> String {
    let Addresses { grpc, asana, .. } = at;
    let Demo { admin_key, .. } = demo;
    let Planned { phase, task, start, due } = planned;
    let later = |day: &NaiveDate, days| day.checked_add_days(Days::new(days)).unwrap_or(*day);
    let (start_here, due_here) = (later(start, 7), later(due, 9));
    let (start_there, due_there) = (later(start, 14), later(due, 16));
    format!(
        r#"
The desk moves a phase, and five seconds later it has moved at Asana's board:

  clients/node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {admin_key}' \
    -d '{{"phase_id": "{phase}", "start_date": "{start_here}", "due_date": "{due_here}", "planned_hours": "36.5"}}' \
    http://{grpc}/stellwerk.v1.PlanningService/UpdatePhase

  curl -sS {asana}/sandbox/tasks/{task}

Somebody changes its dates at the board, and moments later they are here:

  curl -sS -X PUT {asana}/sandbox/tasks/{task} -H 'content-type: application/json' \
    -d '{{"start_on": "{start_there}", "due_on": "{due_there}"}}'

  clients/node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {admin_key}' \
    -d '{{"phase_id": "{phase}"}}' http://{grpc}/stellwerk.v1.PlanningService/GetPhase
"#
    )
}
