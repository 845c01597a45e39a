//! Compiles the protos: messages, clients and servers (prost, tonic), field rules (protovalidate) and the
//! descriptor set that reflection and the access rules are read from at start.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=stellwerk");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files: Vec<String> = fs::read_dir("stellwerk/v1")?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".proto"))
        .map(|name| format!("stellwerk/v1/{name}"))
        .collect();
    files.sort();

    let mut compiler = protox::Compiler::new([".", "vendor/prost-protovalidate-types/proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    // Encoded by protox and not by prost: only so the options' extensions survive.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), &descriptors)?;

    let mut messages = prost_build::Config::new();
    messages.enable_type_names();
    tonic_prost_build::configure()
        .build_transport(false)
        .extern_path(".buf.validate", "::prost_protovalidate_types")
        .compile_fds_with_config(compiler.file_descriptor_set(), messages)?;
    #[cfg(feature = "rules")]
    prost_protovalidate_build::Builder::new()
        .file_descriptor_set_bytes(descriptors)
        .fail_on_runtime_only(true)
        .compile()?;
    Ok(())
}
