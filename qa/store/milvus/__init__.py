"""The store on a Milvus server: what `qa.store.index` is for one folder, for corpora beyond it."""
