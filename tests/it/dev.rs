//! `stellwerk dev`: everything from nothing, found again by the next start, recovered after a crash.

mod printed;
mod restarts;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use stellwerk::{
    proto::{
        Appointment, AppointmentStatus, GetPhaseRequest, IntegrationState, ListAbsencesRequest,
        ListAppointmentsRequest, ListIntegrationsRequest, ListPhasesRequest, ListReviewItemsRequest,
        ReviewState, SignatureScheme, SyncOrigin, UpdatePhaseRequest, WebhookEndpoint,
    },
    sandbox::calcom::{self, Calcom},
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

const ADDRESSES: [&str; 6] = [
    "--grpc-address",
    "--http-address",
    "--metrics-address",
    "--sandbox-address",
    "--sandbox-calcom-address",
    "--sandbox-asana-address",
];
/// Not handed out by the system, so that nobody is given one between two starts.
const FIXED_PORTS: std::ops::Range<u16> = 20_000..30_000;

struct Dev {
    process: Process,
    welcome: Log,
    log: Log,
}

impl Dev {
    async fn start(folder: &Folder) -> Self {
        Self::start_on(folder, [0; 6]).await
    }

    async fn start_on(folder: &Folder, ports: [u16; 6]) -> Self {
        Self::start_by(program(), folder, ports).await
    }

    /// Returns when it has said where everything is.
    async fn start_by(mut command: Command, folder: &Folder, ports: [u16; 6]) -> Self {
        let addresses = ADDRESSES.iter().zip(ports).map(|(name, port)| format!("{name}=127.0.0.1:{port}"));
        command.arg("dev").args(addresses);
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

/// P5, P6: the demo tenant went through consent, mapping, first run and webhooks by itself;
/// from then on both sides move.
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

fn free_ports() -> [u16; 6] {
    let mut taken = Vec::new();
    while taken.len() < ADDRESSES.len() {
        taken.extend(TcpListener::bind(("127.0.0.1", rand::random_range(FIXED_PORTS))));
    }
    std::array::from_fn(|nth| taken[nth].local_addr().expect("bound").port())
}

/// What a start finds or makes of the doubles and the demo tenant's links with them.
#[derive(Debug, PartialEq)]
struct Standing {
    /// Provider and id of those that are connected.
    links: Vec<(String, String)>,
    ended_links: usize,
    phases: usize,
    open_review_items: usize,
    conflicting: usize,
    /// At both doubles.
    webhooks: Vec<String>,
}

impl Standing {
    async fn of(dev: &Dev) -> Self {
        let admin = dev.admin();
        let request = ListIntegrationsRequest::default();
        let found = admin.integrations().list_integrations(request).await.unwrap().into_inner().integrations;
        let (links, ended): (Vec<_>, Vec<_>) = found
            .into_iter()
            .filter(|link| ["asana", "calcom"].contains(&link.provider.as_str()))
            .partition(|link| link.state() == IntegrationState::Connected);
        let mut links: Vec<_> = links.into_iter().map(|link| (link.provider, link.integration_id)).collect();
        links.sort();
        let phases = admin.planning().list_phases(ListPhasesRequest::default()).await.unwrap().into_inner();
        let open = ListReviewItemsRequest { state: ReviewState::Open.into(), ..Default::default() };
        let items = admin.reviews().list_review_items(open).await.unwrap().into_inner().review_items;
        let is_conflicting = |one: &&Appointment| one.status() == AppointmentStatus::Conflicting;
        let conflicting = appointments(dev).await.iter().filter(is_conflicting).count();
        let mut webhooks = Vec::new();
        for (double, id) in [("Cal.com", "id"), ("Asana", "gid")] {
            let there = get(&format!("{}sandbox/webhooks", dev.told(double))).await;
            let ids = there.as_array().expect("a list").iter();
            webhooks.extend(ids.map(|one| one[id].as_str().expect("an id").to_owned()));
        }
        let (ended_links, phases, open_review_items) = (ended.len(), phases.phases.len(), items.len());
        Self { links, ended_links, phases, open_review_items, conflicting, webhooks }
    }

    fn providers(&self) -> Vec<&str> {
        self.links.iter().map(|(provider, _)| provider.as_str()).collect()
    }
}

async fn get(url: &str) -> Value {
    client().get(url).send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

/// Those from Cal.com.
async fn appointments(dev: &Dev) -> Vec<Appointment> {
    let request =
        ListAppointmentsRequest { origin: SyncOrigin::Calcom.into(), page_size: 200, ..Default::default() };
    dev.admin().appointments().list_appointments(request).await.unwrap().into_inner().appointments
}

async fn knows(dev: &Dev, uid: &str) -> bool {
    appointments(dev).await.iter().any(|one| one.external_id == uid)
}

/// While nothing of ours runs.
async fn book_between(folder: &Folder) -> String {
    let kept_in = Some(folder.path.join("sandbox/calcom.json"));
    let calcom = Calcom::start(calcom::Settings { kept_in, ..Default::default() }).await.unwrap();
    let consultation = calcom.demo().expect("the demo's practice").consultation;
    calcom.invent_booking(consultation, 4711).await.unwrap().expect("a free time").uid
}

#[tokio::test]
async fn the_demo_is_the_same_after_every_start_and_knows_what_was_booked_meanwhile() {
    let (folder, ports) = (Folder::new(), free_ports());

    let first = Dev::start_on(&folder, ports).await;
    let made = Standing::of(&first).await;
    first.interrupt().await;
    let booked_between = book_between(&folder).await;
    let second = Dev::start_on(&folder, ports).await;
    let found = Standing::of(&second).await;
    let knows_it = knows(&second, &booked_between).await;
    let tick = client().post(format!("{}sandbox/tick", second.told("Cal.com"))).send().await.unwrap();
    let booked: Value = tick.json().await.unwrap();
    second.kill();
    let third = Dev::start_on(&folder, ports).await;
    let recovered = Standing::of(&third).await;
    let knows_both =
        knows(&third, &booked_between).await && knows(&third, booked["uid"].as_str().unwrap()).await;
    third.interrupt().await;

    assert_eq!(made.providers(), ["asana", "calcom"]);
    assert_eq!((made.ended_links, made.phases), (0, 18));
    assert_eq!((made.open_review_items, made.conflicting), (0, 0));
    assert_eq!((&found, &recovered), (&made, &made));
    assert!(knows_it && knows_both);
}

#[tokio::test]
async fn a_start_without_the_database_or_without_the_doubles_files_links_anew() {
    let (folder, ports) = (Folder::new(), free_ports());
    Dev::start_on(&folder, ports).await.interrupt().await;

    fs::remove_dir_all(folder.path.join("postgres")).unwrap();
    let second = Dev::start_on(&folder, ports).await;
    let without_database = Standing::of(&second).await;
    second.interrupt().await;
    fs::remove_dir_all(folder.path.join("sandbox")).unwrap();
    let third = Dev::start_on(&folder, ports).await;
    let without_files = Standing::of(&third).await;
    third.interrupt().await;

    assert_eq!((without_database.providers(), without_database.phases), (vec!["asana", "calcom"], 18));
    assert_eq!((without_database.ended_links, without_files.ended_links), (0, 2));
    assert_eq!(without_files.providers(), ["asana", "calcom"]);
    // Two of event types, three of projects, one of the workspace: none is left that nobody answers.
    assert_eq!((without_database.webhooks.len(), without_files.webhooks.len()), (6, 6));
}

#[tokio::test]
async fn a_double_that_has_moved_is_said_and_does_not_keep_the_rest_from_starting() {
    let (folder, ports) = (Folder::new(), free_ports());
    Dev::start_on(&folder, ports).await.interrupt().await;

    let moved = Dev::start_on(&folder, free_ports()).await;
    let standing = Standing::of(&moved).await;
    let said = moved.log.text();
    moved.interrupt().await;

    assert!(said.contains("give it its old address (--sandbox-calcom-address)"), "{said}");
    assert_eq!((standing.ended_links, standing.phases), (0, 18));
}
