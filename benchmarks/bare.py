"""The least a program with this model can do: load the float32 graph, encode, search a FAISS file.

What `qa ask` is compared with. Usage: bare.py GRAPH TOKENIZER INDEX QUESTION
"""

import sys

import faiss
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

graph, tokenizer, index, question = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
ids = np.array([Tokenizer.from_file(tokenizer).encode(question).ids])
feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
vector = session.run(None, feed)[0].mean(axis=1)
vector /= np.linalg.norm(vector)
print(faiss.read_index(index).search(vector, 5)[1])
