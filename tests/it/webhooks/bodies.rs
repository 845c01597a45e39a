//! How much of what strangers say is held in memory.

use std::net::SocketAddr;

use http::HeaderMap;
use stellwerk::proto::SignatureScheme;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{erika, sized};
use crate::support::{
    PATIENCE,
    app::{TestApp, TestAppBuilder},
    booking_tool::{Answer, TestBookingTool, headers},
    database::until_waiting,
    said::said,
    wait_until,
};

const KIB: usize = 1024;

/// A sender gets 1 MiB, all together 4 MiB.
fn with_little_memory() -> TestAppBuilder {
    TestApp::builder()
        .setting(&format!("--max-bodies-bytes={}", 4 * KIB * KIB))
        .setting("--trusted-proxies=127.0.0.0/8")
}

/// Posts the beginning of a body to any address and says nothing more.
async fn stall(http: SocketAddr, sender: &str, said: usize) -> TcpStream {
    let mut stream = TcpStream::connect(http).await.expect("a listener");
    let head = format!(
        "POST /api/webhooks/booking/guessed HTTP/1.1\r\nhost: hooks\r\nx-forwarded-for: {sender}\r\n\
         content-length: {}\r\n\r\n",
        said + 1
    );
    stream.write_all(head.as_bytes()).await.expect("an open door");
    stream.write_all(&vec![b'x'; said]).await.expect("an open door");
    stream
}

/// A registration by way of a proxy.
async fn tell_from(tool: &TestBookingTool, sender: &str) -> Answer {
    let body = said("patient.created", erika()).to_string().into_bytes();
    post_from(tool, sender, body).await
}

async fn post_from(tool: &TestBookingTool, sender: &str, body: Vec<u8>) -> Answer {
    let mut all: HeaderMap = tool.signed("msg_1", chrono::Utc::now().timestamp(), &body);
    all.extend(headers([("x-forwarded-for", sender.to_string())]));
    tool.post(all, body).await
}

/// P13. It takes neither a secret nor an address that there is.
#[tokio::test]
async fn who_lets_bodies_hang_takes_the_memory_of_no_other_sender() {
    let app = with_little_memory().start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(stall(app.http(), "203.0.113.1", 250 * KIB).await);
    }
    wait_until("the stranger's part is taken", PATIENCE, async || {
        post_from(&tool, "203.0.113.1", sized(200 * KIB)).await.status == 503
    })
    .await;
    let refused = post_from(&tool, "203.0.113.1", sized(200 * KIB)).await;
    let others = tell_from(&tool, "203.0.113.2").await;
    drop(stalled);

    assert_eq!((refused.status.as_u16(), refused.reason()), (503, "OVERLOADED"));
    assert!(refused.retry_after().is_some());
    assert!(matches!(others.kept(), "success" | "duplicate"));
    wait_until("the stranger's part is free again", PATIENCE, async || {
        post_from(&tool, "203.0.113.1", sized(200 * KIB)).await.status == 200
    })
    .await;
}

/// P13.
#[tokio::test]
async fn all_senders_together_take_no_more_than_there_is() {
    let app = with_little_memory().start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    let mut stalled = Vec::new();
    for sender in 1..=5 {
        for _ in 0..4 {
            stalled.push(stall(app.http(), &format!("203.0.113.{sender}"), 250 * KIB).await);
        }
    }
    wait_until("nothing is left", PATIENCE, async || {
        post_from(&tool, "203.0.113.9", sized(200 * KIB)).await.status == 503
    })
    .await;
    drop(stalled);

    wait_until("all is free again", PATIENCE, async || {
        post_from(&tool, "203.0.113.9", sized(200 * KIB)).await.status == 200
    })
    .await;
}

/// P13.
#[tokio::test]
async fn a_body_is_counted_until_its_delivery_is_answered() {
    let app = with_little_memory().start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker.run("BEGIN; LOCK TABLE webhook_activity IN EXCLUSIVE MODE").await;

    let (first, second) = tokio::join!(post_from(&tool, "203.0.113.1", sized(600 * KIB)), async {
        until_waiting(&owner, 1).await;
        let second = post_from(&tool, "203.0.113.1", sized(500 * KIB)).await;
        blocker.run("ROLLBACK").await;
        second
    });

    assert_eq!((first.kept(), second.status.as_u16()), ("success", 503));
}
