//! Documents read as the types they were written from.

use serde::de::DeserializeOwned;

use crate::store::{Doc, Key, ReadError, Rev, Store};

impl dyn Store {
    /// The document at `key` as a `T`.
    pub async fn get_as<T: DeserializeOwned>(
        &self,
        key: &Key,
    ) -> Result<Option<Doc<T>>, ReadError> {
        self.get(key).await?.map(Doc::read).transpose()
    }

    /// The documents whose keys begin with `prefix`, each as a `T`, and the revision at which they
    /// were all so. One that is not a `T` fails the whole.
    pub async fn list_as<T: DeserializeOwned>(
        &self,
        prefix: &str,
    ) -> Result<(Vec<Doc<T>>, Rev), ReadError> {
        let (docs, rev) = self.list(prefix).await?;
        let docs = docs.into_iter().map(Doc::read).collect::<Result<_, _>>()?;
        Ok((docs, rev))
    }
}
