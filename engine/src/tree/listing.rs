//! Listings of the head, for what is decided by a whole subtree.

use super::head::Tree;
use super::walk::{Cursor, child_name};
use model::record::NodeRecord;

impl<M> Tree<M> {
    /// The direct children of `path` in the head: name and record.
    pub fn child_records<'a>(
        &'a self,
        path: &[u8],
        mut each: impl FnMut(&'a [u8], NodeRecord<'a>),
    ) {
        let parent = if path == b"/" { b"" } else { path };
        let mut cursor = Cursor::children(self.state.root, self.hasher.parent_bits(parent));
        while let Some(entry) = cursor.next() {
            let record = entry.as_record();
            if let Some(name) = child_name(record.path(), parent) {
                each(name, record);
            }
        }
    }

    /// Count of nodes and bytes of data at and below `path` in the head.
    pub fn subtree_size(&self, path: &[u8]) -> (u64, u64) {
        let (mut count, mut bytes) = (0, 0);
        let mut todo = Vec::from_iter(self.lookup(path));
        while let Some(record) = todo.pop() {
            count += 1;
            bytes += record.stat().data_length.to_native() as u64;
            if record.stat().num_children.to_native() != 0 {
                self.child_records(record.path(), |_, child| todo.push(child));
            }
        }
        (count, bytes)
    }

    /// Every record of the head, in the trie's order.
    pub fn records(&self) -> impl Iterator<Item = NodeRecord<'_>> {
        let mut cursor = Cursor::new(self.state.root);
        std::iter::from_fn(move || cursor.next().map(super::entry::TrieEntry::as_record))
    }
}
