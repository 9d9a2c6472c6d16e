//! Tells cargo when the embedded bundle has changed. Debug builds read it from disk and need no rebuild.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=examples");
    println!("cargo::rerun-if-changed=../lessons");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo::rerun-if-changed=../web/dist");
    }
}
