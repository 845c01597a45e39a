//! `stellwerk dev`: everything from nothing, found again by the next start, recovered after a crash.

use std::{fs, net::SocketAddr, time::Duration};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use stellwerk::proto::{
    GetPhaseRequest, ListAbsencesRequest, ListPhasesRequest, SignatureScheme, UpdatePhaseRequest,
    WebhookEndpoint,
};
use tonic::transport::Endpoint;

use crate::support::{
    PATIENCE,
    booking_tool::{TestBookingTool, client},
    caller::TestCaller,
    cluster::Folder,
    desk,
    process::{Log, Process, program},
    said::said,
    wait_until,
};

/// As promised: PostgreSQL included.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

struct Dev {
    process: Process,
    welcome: Log,
    log: Log,
}

impl Dev {
    /// Returns when it has said where everything is.
    async fn start(folder: &Folder) -> Self {
        let mut command = program();
        let ports = [
            "--grpc-address",
            "--http-address",
            "--metrics-address",
            "--sandbox-address",
            "--sandbox-calcom-address",
            "--sandbox-asana-address",
        ];
        command.arg("dev").args(ports.map(|name| format!("{name}=127.0.0.1:0")));
        command.arg(format!("--data-dir={}", folder.path.display()));
        let (process, welcome, log) = Process::spawn(command);
        let mut dev = Self { process, welcome, log };
        wait_until("it has said where everything is", PATIENCE, async || {
            let ended = dev.process.ended();
            assert!(ended.is_none(), "it ended at once: {}", dev.log.text());
            dev.welcome.text().contains("Ctrl-C stops everything")
        })
        .await;
        dev
    }

    /// What stands behind a label, as in `  admin key   swk_…`.
    fn told(&self, label: &str) -> String {
        let welcome = self.welcome.text();
        let rest = welcome.lines().find_map(|line| line.trim_start().strip_prefix(label)).expect(label);
        rest.split_whitespace().next().expect(label).to_string()
    }

    fn admin(&self) -> TestCaller {
        let channel = Endpoint::try_from(self.told("gRPC, grpc-web")).expect("a URL").connect_lazy();
        TestCaller::new(channel, Some(&self.told("admin key")))
    }

    /// Whoever has the secret, which lies in the data folder.
    fn tool(&self, folder: &Folder) -> TestBookingTool {
        let demo = fs::read_to_string(folder.path.join("demo.json")).expect("the demo's secrets");
        let demo: Value = serde_json::from_str(&demo).expect("JSON");
        let url = self.told("webhook address");
        let address = url.trim_start_matches("http://").split('/').next().expect("an address");
        let http: SocketAddr = address.parse().expect("an address");
        let endpoint = WebhookEndpoint { url, ..Default::default() };
        let secret = demo["webhook_secret"].as_str().expect("a secret");
        TestBookingTool::new(http, SignatureScheme::Legacy, endpoint, secret)
    }

    /// As Ctrl-C does.
    async fn interrupt(mut self) {
        self.process.signal(Signal::SIGINT);
        wait_until("everything has stopped", STOPS_WITHIN, async || self.process.ended().is_some()).await;
        let status = self.process.ended().expect("ended");
        assert!(status.success(), "{status}: {}", self.log.text());
        assert!(!self.log.text().contains("panicked"), "{}", self.log.text());
    }

    fn kill(mut self) {
        self.process.kill();
    }
}

#[tokio::test]
async fn the_first_start_makes_everything_and_the_next_ones_find_it_even_after_a_crash() {
    let folder = Folder::new();
    let is_running = || folder.path.join("postgres/postmaster.pid").exists();
    // The tool invents no such name.
    let somebody =
        said("patient.created", json!({ "id": "test-1", "vorname": "Xanthippe", "nachname": "Muster" }));

    let first = Dev::start(&folder).await;
    let (tenant, key) = (first.told("tenant"), first.told("admin key"));
    wait_until("the booking tool has told of somebody", PATIENCE, async || {
        !desk::patients(&first.admin()).await.is_empty()
    })
    .await;
    first.tool(&folder).tell(&somebody).await.kept();
    first.interrupt().await;
    let left_behind = is_running();

    let second = Dev::start(&folder).await;
    let found_again = (second.told("tenant"), second.told("admin key"));
    let names = desk::names(&second.admin()).await;
    second.kill();

    let third = Dev::start(&folder).await;
    let recovered = desk::names(&third.admin()).await;
    let told = third.tool(&folder).tell(&somebody).await;
    let ready = client().get(format!("{}/readyz", third.told("HTTP adapter"))).send().await.unwrap();
    third.interrupt().await;

    assert!(!left_behind && !is_running());
    assert_eq!(found_again, (tenant, key));
    for names in [names, recovered] {
        assert!(names.contains(&"Xanthippe Muster".to_string()), "{names:?}");
    }
    assert_eq!((told.kept(), ready.status().as_u16()), ("duplicate", 200));
}

/// P5, P6: the demo tenant went through consent, mapping, first run and webhooks by itself; from then on both sides move.
#[tokio::test]
async fn the_demo_is_linked_with_asanas_double_and_phases_move_both_ways() {
    let folder = Folder::new();
    let dev = Dev::start(&folder).await;
    let (board, admin) = (dev.told("Asana"), dev.admin());
    let phases =
        admin.planning().list_phases(ListPhasesRequest::default()).await.unwrap().into_inner().phases;
    let phase = phases.iter().find(|phase| !phase.start_date.is_empty()).expect("one with dates").clone();
    let at_board = format!("{board}sandbox/tasks/{}", phase.external_id);
    let here = async || {
        let request = GetPhaseRequest { phase_id: phase.phase_id.clone() };
        admin.planning().get_phase(request).await.unwrap().into_inner().phase.expect("the phase")
    };

    let moved = json!({ "start_on": "2027-03-01", "due_on": "2027-03-12" });
    client().put(&at_board).json(&moved).send().await.unwrap().error_for_status().unwrap();
    wait_until("the phase has moved here", PATIENCE, async || here().await.due_date == "2027-03-12").await;
    let update = UpdatePhaseRequest {
        phase_id: phase.phase_id.clone(),
        start_date: "2027-04-05".into(),
        due_date: "2027-04-16".into(),
        ..Default::default()
    };
    admin.planning().update_phase(update).await.unwrap();
    wait_until("the phase has moved at the board", PATIENCE, async || {
        let told: Value = client().get(&at_board).send().await.unwrap().json().await.unwrap();
        told["start_on"] == "2027-04-05" && told["due_on"] == "2027-04-16"
    })
    .await;
    wait_until("somebody's days off are here", PATIENCE, async || {
        let absences = admin.planning().list_absences(ListAbsencesRequest::default()).await.unwrap();
        absences.into_inner().absences.iter().any(|one| !one.practitioner_id.is_empty())
    })
    .await;
    dev.interrupt().await;

    assert_eq!(phases.len(), 18);
}
