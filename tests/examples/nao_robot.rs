//! A robot with a NAO's services, to try the profile `nao-ros.toml` without one: `nao_robot URL` registers them, says `ready URL`, and
//! tells what it is made to do.

use std::time::Duration;

use keyway_tests::nao::Nao;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Some(url) = std::env::args().nth(1) else { anyhow::bail!("usage: nao_robot URL") };
    let robot = Nao::register(&url).await;
    println!("ready {url}");
    let mut told = 0;
    let mut rounds = 0_u32;
    loop {
        tokio::select! {
            _ = robot.session.disconnected() => anyhow::bail!("the directory is gone"),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        let done = robot.done();
        done[told..].iter().for_each(|done| println!("{done}"));
        told = done.len();
        // Somebody strokes its head now and then.
        rounds += 1;
        if rounds.is_multiple_of(10) {
            robot.raise("FrontTactilTouched", if rounds.is_multiple_of(20) { 1.0_f32 } else { 0.0 });
        }
    }
}
