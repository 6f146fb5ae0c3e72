//! No room left.

use baton_core::book::Book;
use baton_store::{Batch, Options, testing};

use crate::given::*;

#[tokio::test]
async fn a_full_disk_is_told_and_the_next_commit_works_when_there_is_room_again() -> Checked {
    let (store, _folder) = testing::sqlite_store(&Options::default()).await?;
    let store = &store;
    let written = |name: &'static str| async move {
        let mut book = Book::default();
        for number in 0..2_000 {
            touch(&mut book, person(&format!("{name}{number}")));
        }
        store.commit(&mut book, &Batch::default()).await
    };
    // As large as it is now.
    store.raw("PRAGMA max_page_count = 1").await?;
    let full = written("a").await.err().map(|error| error.class());
    assert_eq!(full, Some(ErrorClass::Full));
    store.raw("PRAGMA max_page_count = 1000000").await?;
    written("b").await?;
    Ok(())
}
