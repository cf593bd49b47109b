//! Where the examples run: at the directory whose URL is given, or at one of their own.

use keyway::{Directory, Result};

/// The directory of an example.
pub(crate) struct Stage {
    /// Where it is.
    pub(crate) url: String,
    /// The directory itself, if the example had to start one. It ends with this.
    #[allow(dead_code, reason = "some examples only keep it alive")]
    pub(crate) own: Option<Directory>,
}

impl Stage {
    /// Takes the URL from the first argument or from `QI_URL`, or else starts a directory on a free port.
    pub(crate) async fn open() -> Result<Self> {
        let given = std::env::args().nth(1).or_else(|| std::env::var("QI_URL").ok());
        if let Some(url) = given.filter(|url| !url.is_empty()) {
            return Ok(Self { url, own: None });
        }
        let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await?;
        let url = directory.urls().remove(0);
        println!("no directory was given; started one at {url}");
        Ok(Self { url, own: Some(directory) })
    }
}
