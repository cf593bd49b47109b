//! A cable between the gateway and the directory, at which the directory can be kept from being heard.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Valve {
    pub(crate) url: String,
    is_shut: watch::Sender<bool>,
}

impl Valve {
    pub(crate) async fn before(directory: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let directory = directory.trim_start_matches("tcp://").to_owned();
        let is_shut = watch::Sender::new(false);
        let shutting = is_shut.clone();
        tokio::spawn(async move {
            while let Ok((gateway, _)) = listener.accept().await {
                let directory = TcpStream::connect(&directory).await.unwrap();
                tokio::spawn(carry(gateway, directory, shutting.subscribe()));
            }
        });
        Self { url, is_shut }
    }

    /// Keeps back what the directory says from now on, or lets it through.
    pub(crate) fn shut(&self, is_shut: bool) {
        self.is_shut.send_replace(is_shut);
    }
}

/// Until one of them is gone.
async fn carry(mut gateway: TcpStream, mut directory: TcpStream, mut is_shut: watch::Receiver<bool>) {
    let (mut asking, mut answered) = gateway.split();
    let (mut answering, mut asked) = directory.split();
    let answers = async {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = answering.read(&mut bytes).await {
            // The test may be over.
            let _ = is_shut.wait_for(|is_shut| !is_shut).await;
            if answered.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = copy(&mut asking, &mut asked) => {}
        () = answers => {}
    }
}
