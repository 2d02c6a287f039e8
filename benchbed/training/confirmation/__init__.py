"""The criterion met with the future hidden: a solve counts only where the answer was not in view.

No list of situations in which a mixer may read later tokens is ever complete; so a score does not rest on one. A
member that meets its task's criterion is asked again, in a process that has seen no data: a model is built anew, the
trained weights are put in, and each token that the criterion reads is predicted from held-out sequences in which that
token and all after it are those of other sequences, in batches of another size and order. The answers are not in that
process: not in its input, nor in what an instance, a class or a module keeps, nor in a frame up the stack.

A causal mixer predicts the same as before, so that nothing changes for it: what is corrected is the accuracy, by the
share of predictions that hiding turned from right to wrong.
"""
