use std::process::ExitCode;

use clap::Parser;
use stellwerk::{cli::Cli, egress};

// Many small allocations, made on one thread and freed on another: a tenth more calls than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything speaks TLS: with two providers in the tree rustls would not choose one by itself.
    egress::install_crypto();
    Cli::parse().run()
}
