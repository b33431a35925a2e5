"""Retrievers for other frameworks, each with an extra of its own (docs/integrations.md).

- `langchain.QARetriever`: `pip install 'retrieval-qa[langchain]'`
- `llama_index.QARetriever`: `pip install 'retrieval-qa[llama-index]'`
- `haystack.QARetriever`: `pip install 'retrieval-qa[haystack]'`

All take the same arguments (`retrieval.RetrievalArguments`) and give the same metadata.
"""
