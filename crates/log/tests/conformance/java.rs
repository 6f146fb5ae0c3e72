//! What Apache Kafka's own Java client finds: a client that shares nothing with librdkafka.

use crate::support::*;
use std::path::Path;
use std::process::Command;

/// What `tests/java/Facts.java` shows, in its order.
const FACTS: &[&str] = &[
    "the cluster has one broker, at the address it was asked at",
    "a topic is made, listed and described",
    "a topic's settings are shown, changed and put back",
    "a setting that makes no sense is refused and changes nothing",
    "partitions are added and never taken away",
    "a topic made anew is empty and has another id",
    "an unknown topic is refused and not made",
    "offsets are found by time, and the first, the last and the newest",
    "records before an offset are deleted",
    "a waiting consumer is woken by a message",
    "an idempotent producer's records come back whole with compression none",
    "an idempotent producer's records come back whole with compression gzip",
    "an idempotent producer's records come back whole with compression snappy",
    "an idempotent producer's records come back whole with compression lz4",
    "an idempotent producer's records come back whole with compression zstd",
    "a message over the topic's limit is refused and the next one is taken",
    "two members share by range and one takes over when the other leaves",
    "two members share by roundrobin and one takes over when the other leaves",
    "two members share by cooperative-sticky and one takes over when the other leaves",
    "a static member that comes back keeps its partitions without a rebalance",
    "an older twin of a static member is fenced",
    "static members are removed by an admin",
    "committed offsets are kept with their notes and read by anybody",
    "offsets of a group without members are deleted one by one",
    "groups are listed, and deleted once they are empty",
];

#[tokio::test]
async fn the_java_client_finds_every_fact() {
    let jars = match client_jars() {
        Ok(jars) => jars,
        Err(why) => return missing("Java client", &why, "nothing is shown of it"),
    };
    let running = start().await;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/Facts.java");
    let addr = running.log.addr().to_string();
    let run = move || {
        Command::new("java")
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-cp"])
            .arg(format!("{jars}/*"))
            .arg(program)
            .arg(addr)
            .output()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let expected: Vec<String> = FACTS.iter().map(|fact| format!("ok\t{fact}")).collect();
    let found: Vec<&str> = said.lines().collect();
    assert_eq!(
        found,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The folder of Apache Kafka's jars, with a Java at hand that runs a source file.
fn client_jars() -> Result<String, String> {
    let modules = Command::new("java")
        .arg("--list-modules")
        .output()
        .map_err(|e| format!("no java: {e}; install a JDK 17 or later"))?;
    if !String::from_utf8_lossy(&modules.stdout).contains("jdk.compiler@") {
        return Err("this Java has no compiler; install a JDK 17 or later".to_owned());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ground/kafka");
    let fetched = Command::new(script)
        .arg("fetch")
        .output()
        .map_err(|e| format!("tests/ground/kafka cannot be started: {e}"))?;
    if fetched.status.success() {
        Ok(String::from_utf8_lossy(&fetched.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&fetched.stderr).trim().to_owned())
    }
}
