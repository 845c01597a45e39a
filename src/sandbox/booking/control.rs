//! The tool's control surface: a few routes on loopback, for people who want to see something happen.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Appointment, AppointmentData, BookingTool, Delivered, Error, Faults, Patient, PatientData, Sent, Ticked,
};
use crate::sandbox::control::{Body, Optional, Refused};

/// What requests under way may still take once the surface is told to stop.
const GRACE: Duration = Duration::from_secs(5);

const HELP: &str = "\
The booking tool's double. It tells one stellwerk endpoint about every change made here, signed as the
endpoint expects, and answers what stellwerk answered. What is not kept is repeated in the background.

  GET  /patients
  GET  /appointments
  POST /patients
       {\"vorname\": \"Erika\", \"nachname\": \"Muster\", \"email\": \"erika@example.org\",
        \"telefon\": \"...\", \"geburtsdatum\": \"1984-02-29\"}
  POST /appointments
       {\"patient_id\": \"pat_...\", \"scheduled_at\": \"2026-03-02T09:30:00+01:00\",
        \"duration_minutes\": 50, \"therapist_name\": \"...\", \"service_name\": \"...\"}
  POST /appointments/{id}/cancel     {\"reason\": \"...\"}, or nothing
  POST /tick                         registers an invented patient or books a free slot
  POST /ping                         a sign of life
  GET  /faults, PUT /faults          {\"duplicate\": false, \"reorder\": false, \"drop_id\": false}

Bodies are JSON; send them with content-type: application/json. An empty list of answers means that the
event is held back (reorder) until the next one has passed it.
";

type Tool = State<Arc<BookingTool>>;

#[derive(Deserialize)]
struct Cancel {
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<Delivered>,
}

impl BookingTool {
    /// Serves the control surface on a loopback listener until `stop`, then gives up what it still repeats.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        if !listener.local_addr()?.ip().is_loopback() {
            return Err(Error::NotLoopback);
        }
        let tool = Arc::new(self.repeating_in_background());
        let stopped = CancellationToken::new();
        let told = stopped.clone();
        let serving = axum::serve(listener, routes(tool.clone())).with_graceful_shutdown(async move {
            stop.await;
            told.cancel();
        });
        let served = tokio::select! {
            served = serving.into_future() => served,
            () = async { stopped.cancelled().await; tokio::time::sleep(GRACE).await } => Ok(()),
        };
        // A connection that outlived the grace may still hold the tool, and with it the repeats.
        tool.give_up();
        Ok(served?)
    }
}

fn routes(tool: Arc<BookingTool>) -> Router {
    Router::new()
        .route("/", get(async || HELP))
        .route("/patients", get(patients).post(register))
        .route("/appointments", get(appointments).post(book))
        .route("/appointments/{id}/cancel", post(cancel))
        .route("/tick", post(tick))
        .route("/ping", post(ping))
        .route("/faults", get(faults).put(set_faults))
        .with_state(tool)
}

async fn patients(State(tool): Tool) -> Json<Vec<Patient>> {
    Json(tool.patients())
}

async fn appointments(State(tool): Tool) -> Json<Vec<Appointment>> {
    Json(tool.appointments())
}

async fn register(State(tool): Tool, body: Body<PatientData>) -> Result<Json<Sent<Patient>>, Refused> {
    let Json(data) = body?;
    Ok(Json(tool.register_patient(data).await?))
}

async fn book(State(tool): Tool, body: Body<AppointmentData>) -> Result<Json<Sent<Appointment>>, Refused> {
    let Json(data) = body?;
    Ok(Json(tool.book(data).await?))
}

async fn cancel(
    State(tool): Tool,
    Path(id): Path<String>,
    body: Optional<Cancel>,
) -> Result<Json<Sent<Appointment>>, Refused> {
    let reason = body?.and_then(|Json(cancel)| cancel.reason);
    Ok(Json(tool.cancel(&id, reason).await?))
}

async fn tick(State(tool): Tool) -> Result<Json<Ticked>, Refused> {
    Ok(Json(tool.tick().await?))
}

async fn ping(State(tool): Tool) -> Json<Answers> {
    Json(Answers { answers: tool.ping().await })
}

async fn faults(State(tool): Tool) -> Json<Faults> {
    Json(tool.faults())
}

async fn set_faults(State(tool): Tool, body: Body<Faults>) -> Result<Json<Answers>, Refused> {
    let Json(faults) = body?;
    tool.set_faults(faults);
    let answers = if faults.reorder { Vec::new() } else { tool.release().await };
    Ok(Json(Answers { answers }))
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Double(error.http_status(), error.to_string())
    }
}
