//! A camera as a signal: large events, counted and measured by a subscriber.
//!
//! `camera_stream [URL]` hosts the service `Camera`, streams for a moment and watches the pictures over the network.

mod stage;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway::{Property, QiValue, Result, Session, Signal, SignalStream};
use stage::Stage;

const WIDTH: u16 = 640;
const HEIGHT: u16 = 480;
const PICTURES: u32 = 60;

/// One picture.
#[derive(QiValue, Debug, Clone)]
struct Picture {
    number: u32,
    width: u16,
    height: u16,
    /// Three bytes for each pixel, as raw data: shared by all subscribers, not copied for each.
    pixels: Bytes,
}

struct Camera {
    picture: Signal<(Picture,)>,
    pause: Property<u32>,
}

#[keyway::service(signals(picture), properties(pause(name = "pauseMilliseconds")))]
impl Camera {
    /// Takes a picture.
    fn shoot(&self, number: u32) -> Picture {
        let shade = u8::try_from(number % 256).unwrap_or_default();
        let size = usize::from(WIDTH) * usize::from(HEIGHT) * 3;
        Picture { number, width: WIDTH, height: HEIGHT, pixels: vec![shade; size].into() }
    }

    #[qi(skip)]
    async fn stream(&self) {
        let mut number = 0;
        loop {
            // Nobody pays for pictures that nobody watches.
            if self.picture.subscribers() > 0 {
                number += 1;
                self.picture.emit(&(self.shoot(number),));
            }
            tokio::time::sleep(Duration::from_millis(u64::from(self.pause.get()))).await;
        }
    }
}

#[keyway::proxy]
trait CameraApi {
    async fn shoot(&self, number: u32) -> Result<Picture>;
    #[qi(signal)]
    async fn picture(&self) -> Result<SignalStream<(Picture,)>>;
    #[qi(property, name = "pauseMilliseconds")]
    async fn set_pause(&self, milliseconds: u32) -> Result<()>;
}

#[tokio::main]
async fn main() -> Result<()> {
    let stage = Stage::open().await?;
    let host = Session::connect(&stage.url).await?;
    let camera = Arc::new(Camera { picture: Signal::new(), pause: Property::new(40) });
    host.register("Camera", camera.clone()).await?;
    let streaming = tokio::spawn(async move { camera.stream().await });

    let watched = watch(&stage.url).await;
    streaming.abort();
    host.close().await;
    watched
}

async fn watch(url: &str) -> Result<()> {
    let session = Session::connect(url).await?;
    let camera = CameraApiProxy::from(session.service("Camera").await?);
    let single = camera.shoot(0).await?;
    println!("a picture has {} x {} pixels, {} bytes", single.width, single.height, single.pixels.len());

    camera.set_pause(10).await?;
    let mut pictures = camera.picture().await?;
    let (start, mut bytes, mut seen, mut last) = (Instant::now(), 0, 0, 0);
    while seen < PICTURES {
        let Some(event) = pictures.next().await else { break };
        let (picture,) = event?;
        seen += 1;
        bytes += picture.pixels.len();
        last = picture.number;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{seen} pictures, the last was number {last}, missed {}", pictures.missed());
    println!("{:.0} pictures/s, {:.0} MB/s", f64::from(seen) / seconds, bytes as f64 / seconds / 1e6);
    Ok(())
}
