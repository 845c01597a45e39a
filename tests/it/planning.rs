//! Planning over gRPC: what a planning tool holds, and what of it is changed here.

mod conflicts;
mod lists;
mod mappings;
mod updates;

use stellwerk::proto;
use tonic::Status;

use crate::support::{app::TestApp, caller::TestCaller, planning::Board, tenant::TestTenant};

/// A tenant with an onboarded planning tool. Nobody writes to the tool unless a test says so.
async fn planning() -> (TestApp, TestTenant, Board) {
    let app = TestApp::builder().without_worker().start().await;
    let acme = app.tenant("acme").await;
    let board = Board::of(&app, &acme).await;
    (app, acme, board)
}

async fn get_phase(by: &TestCaller, id: impl ToString) -> proto::GetPhaseResponse {
    let request = proto::GetPhaseRequest { phase_id: id.to_string() };
    by.planning().get_phase(request).await.expect("a phase").into_inner()
}

async fn update(by: &TestCaller, request: proto::UpdatePhaseRequest) -> Result<proto::Phase, Status> {
    Ok(by.planning().update_phase(request).await?.into_inner().phase.expect("shown"))
}

/// What happened to a phase, oldest first.
async fn history(by: &TestCaller, id: impl ToString) -> Vec<proto::PhaseChange> {
    let request = proto::GetPhaseHistoryRequest { phase_id: id.to_string(), ..Default::default() };
    by.planning().get_phase_history(request).await.expect("a history").into_inner().changes
}
