use std::process::ExitCode;

use clap::Parser;
use stellwerk::{cli::Cli, egress};

fn main() -> ExitCode {
    // Before anything speaks TLS: with two providers in the tree rustls would not choose one by itself.
    egress::install_crypto();
    Cli::parse().run()
}
