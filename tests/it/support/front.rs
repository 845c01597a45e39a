//! One address behind which servers come and go, as a balancer in front of several instances.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Passes connections on, to each server in turn. With no server behind it, or none that answers, it closes
/// them. It ends when it is dropped.
pub(crate) struct Front {
    address: SocketAddr,
    servers: Arc<Mutex<Vec<SocketAddr>>>,
    serving: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let servers = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(listener, servers.clone()));
        Self { address, servers, serving }
    }

    /// Without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// New connections go to these servers.
    pub(crate) fn lead_to(&self, servers: &[SocketAddr]) {
        *self.servers.lock().unwrap_or_else(PoisonError::into_inner) = servers.to_vec();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, servers: Arc<Mutex<Vec<SocketAddr>>>) {
    let turn = AtomicUsize::new(0);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = open.join_next() => {}
            Ok((visitor, _)) = listener.accept() => {
                let servers = servers.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let next = turn.fetch_add(1, Ordering::Relaxed).checked_rem(servers.len());
                if let Some(server) = next.map(|next| servers[next]) {
                    open.spawn(pass_on(visitor, server));
                }
            }
        }
    }
}

async fn pass_on(mut visitor: TcpStream, server: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(server).await {
        // Either side may hang up at any time.
        let _ = copy_bidirectional(&mut visitor, &mut server).await;
    }
}
