"""Models of transformers, trained here or made at random: what is measured of them, and what is refused."""

import csv
import hashlib
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not find_spec("transformers"), reason="needs the extra lm")]

CPU = torch.device("cpu")
SMALL = ("--steps", 40, "--every", 10, "--dim", 16, "--layers", 2, "--heads", 2)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two tiny models of different seeds, five checkpoints each."""
    from benchbed.lm.tiny.train import TinySettings, train_model

    out = tmp_path_factory.mktemp("models")
    settings = TinySettings(steps=40, every=10, dim=16, layers=2, heads=2, texts=8)
    for seed in (0, 1):
        train_model(settings, seed, out / f"tiny-seed{seed}")
    return out


@pytest.fixture
def questions(models):
    from benchbed.lm.loading import load_tokenizer
    from benchbed.lm.prompts import ask
    from benchbed.plugins.registry import find

    plugin = find("capability", "copying")
    return ask(plugin, plugin.resolve({}), load_tokenizer(models / "tiny-seed0" / "step40"), 30, 0)


def test_every_builtin_capability_has_words_of_the_stream(models):
    from benchbed.lm.loading import load_tokenizer
    from benchbed.lm.prompts import ask
    from benchbed.plugins.registry import plugins

    tokenizer = load_tokenizer(models / "tiny-seed0" / "step0")
    asked = {p.name: ask(p, p.resolve({}), tokenizer, 5, 0).asked for p in plugins("capability") if p.built_in}
    assert set(asked) == {"copying", "indirect_object", "pattern_completion", "repetition"}
    assert all(tokenizer.unk_token_id not in one.tokens for every in asked.values() for one in every)
    assert all(one.tokens[:4] == one.tokens[4:8] for one in asked["repetition"])


def test_the_stream_repeats_itself_and_has_likings():
    from benchbed.lm.tiny.stream import VOCABULARY, Stream

    stream = Stream()
    texts = stream.sample(400, 64, torch.Generator().manual_seed(0))
    assert texts.equal(stream.sample(400, 64, torch.Generator().manual_seed(0)))
    assert (texts.min(), texts.max()) == (1, len(VOCABULARY) - 1)
    # A pair of neighbours is seen again later in the same text far more often than words alone would have it.
    pairs = texts[:, :-1] * 1000 + texts[:, 1:]
    again = torch.tensor([len(set(row.tolist())) < 0.8 * len(row) for row in pairs]).double().mean()
    shuffled = texts.gather(1, torch.rand(texts.shape).argsort(1))
    pairs = shuffled[:, :-1] * 1000 + shuffled[:, 1:]
    by_chance = torch.tensor([len(set(row.tolist())) < 0.8 * len(row) for row in pairs]).double().mean()
    assert again > 0.9 > 0.4 > by_chance
    # After one word four others come more often than the rest, for every seed the same.
    following = torch.bincount(texts[:, 1:][texts[:, :-1] == 5], minlength=len(VOCABULARY)).double()
    assert following.topk(4).values.sum() > 0.4 * following.sum()


def test_a_model_that_goes_on_is_the_model_that_never_stopped(models, tmp_path):
    from safetensors.torch import load_file

    from benchbed.lm.tiny.train import TinySettings, train_model

    settings = TinySettings(steps=40, every=10, dim=16, layers=2, heads=2, texts=8)
    folder = tmp_path / "tiny-seed0"
    code = f"""
import os, signal, benchbed.lm.tiny.train as train
from pathlib import Path
keep = train._keep
def stop(model, tokenizer, folder):
    keep(model, tokenizer, folder)
    if folder.name == "step30":
        os.kill(os.getpid(), signal.SIGKILL)
train._keep = stop
train.train_model(train.{settings!r}, 0, Path({str(folder)!r}))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == -signal.SIGKILL
    assert not (folder / "step40").exists()
    train_model(settings, 0, folder)
    for step in ("step0", "step30", "step40"):
        file = Path("tiny-seed0") / step / "model.safetensors"
        ours, theirs = load_file(tmp_path / file), load_file(models / file)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("step*/*")}
    train_model(settings, 0, folder)
    assert before == {path: path.stat().st_mtime_ns for path in before}, "what is finished is left as it is"


def test_another_tokenizer_beside_the_same_weights_is_another_checkpoint(models, tmp_path):
    """Or scores of prompts that it read otherwise would be taken for its own."""
    from benchbed.lm.family import find_checkpoint

    folder = shutil.copytree(models / "tiny-seed0" / "step40", tmp_path / "tiny-seed0" / "step40")
    before = find_checkpoint(str(folder)).source
    assert before == find_checkpoint(str(models / "tiny-seed0" / "step40")).source
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    words["apple"], words["bird"] = words["bird"], words["apple"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert find_checkpoint(str(folder)).source != before


def test_seeds_differ_and_settings_are_kept_apart(models):
    from benchbed.errors import LanguageModelError
    from benchbed.lm.loading import load_model, weights_hash
    from benchbed.lm.tiny.train import TinySettings, train_model

    kept = [models / f"tiny-seed{seed}" / step for seed in (0, 1) for step in ("step0", "step40")]
    hashes = [weights_hash(load_model(path, CPU)) for path in kept]
    assert len(set(hashes)) == 4
    with pytest.raises(LanguageModelError, match=r"found steps 40, not 80"):
        train_model(TinySettings(steps=80, every=10, dim=16, layers=2, heads=2, texts=8), 0, models / "tiny-seed0")


def made(kind, folder, **settings):
    """A model of random weights, saved as the library saves it."""
    import transformers

    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForCausalLM")(getattr(transformers, f"{kind}Config")(**settings))
    model.save_pretrained(folder)
    return folder


def neox(folder):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return made("GPTNeoX", folder, vocab_size=120, initializer_range=0.2, **sizes)


def llama(folder):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return made("Llama", folder, vocab_size=120, initializer_range=0.2, num_key_value_heads=2, **sizes)


@pytest.mark.parametrize("make", [neox, llama])
def test_patterns_are_read_and_replaced_and_nothing_else_changes(make, tmp_path, questions):
    from benchbed.lm.attention import pattern_model, patterns, replaced
    from benchbed.lm.loading import load_model
    from benchbed.lm.scoring import batches

    folder = make(tmp_path / "model")
    model, plain = pattern_model(folder, CPU, questions), load_model(folder, CPU, "eager")
    tokens, _ = next(batches(questions, model))
    with torch.no_grad():
        told = plain(input_ids=tokens, output_attentions=True, use_cache=False)
        with patterns(model) as seen:
            logits = model(input_ids=tokens, use_cache=False).logits
        assert torch.equal(logits, told.logits), "unpatched, it is the model as it is"
        for (mine,), theirs in zip(seen, told.attentions, strict=True):
            assert torch.equal(mine, theirs)
            assert torch.equal(mine, mine.tril()), "and causal"
        own = {(layer, head): seen[layer][0][:, head] for layer in range(2) for head in range(4)}
        with replaced(model, own):
            same = model(input_ids=tokens, use_cache=False).logits
        assert torch.allclose(same, logits, atol=1e-5), "its own patterns are no change"
        first = torch.zeros_like(own[1, 3])
        first[:, :, 0] = 1
        with replaced(model, {(1, 3): first}):
            changed = model(input_ids=tokens, use_cache=False).logits
        assert not torch.allclose(changed, logits, atol=1e-4)
        assert torch.equal(model(input_ids=tokens, use_cache=False).logits, logits), "nothing is left behind"


def test_a_replaced_pattern_does_what_the_formula_says(tmp_path, questions):
    """A head that looks at the first token alone gives every token that token's value: by hand, in the last layer."""
    from benchbed.lm.attention import pattern_model, replaced
    from benchbed.lm.scoring import batches

    model: Any = pattern_model(llama(tmp_path / "model"), CPU, questions)
    tokens, _ = next(batches(questions, model))
    layer = model.model.layers[1].self_attn
    seen = {}
    layer.register_forward_hook(lambda _, given, more, out: seen.update(x=more["hidden_states"]), with_kwargs=True)
    layer.o_proj.register_forward_hook(lambda module, given, out: seen.update(heads=given[0]))
    first = torch.zeros(len(tokens), tokens.shape[1], tokens.shape[1])
    first[:, :, 0] = 1
    with torch.no_grad():
        model(input_ids=tokens, use_cache=False)
        plain = seen["heads"].clone()
        with replaced(model, {(1, 3): first}, silent=[(1, 0)]):
            model(input_ids=tokens, use_cache=False)
        values = layer.v_proj(seen["x"])[:, :1, 8:]  # head 3 has the second of two groups of keys and values
    assert torch.allclose(seen["heads"][..., 24:], values.expand(-1, tokens.shape[1], -1), atol=1e-6)
    assert not seen["heads"][..., :8].any(), "the silent one says nothing"
    assert torch.equal(seen["heads"][..., 8:24], plain[..., 8:24]), "the others say what they said"


def test_a_mask_that_is_not_registered_would_show(tmp_path, questions):
    """Without the mask function the library passes no mask, the patterns reach forward, and this sees it."""
    from transformers import AttentionMaskInterface

    from benchbed.errors import LanguageModelError
    from benchbed.lm import attention

    folder, name = neox(tmp_path / "model"), attention._NAME
    mapping = AttentionMaskInterface._global_mapping
    kept = mapping.pop(name)
    try:
        with pytest.raises(LanguageModelError, match="expected a GPTNeoXForCausalLM to compute the same"):
            attention.pattern_model(folder, CPU, questions)
    finally:
        mapping[name] = kept
    attention.pattern_model(folder, CPU, questions)


def test_attention_that_cannot_be_exchanged_is_refused(tmp_path, questions):
    from benchbed.errors import LanguageModelError
    from benchbed.lm.attention import pattern_model

    folder = made("Bloom", tmp_path / "bloom", vocab_size=120, hidden_size=32, n_layer=2, n_head=4)
    with pytest.raises(LanguageModelError, match="found none in a BloomForCausalLM"):
        pattern_model(folder, CPU, questions)


def test_the_patterns_of_an_induction_head_are_found(tmp_path, questions, monkeypatch):
    """The later model differs from the earlier in one head's pattern alone: that head, and no other, shows."""
    from benchbed.lm import heads
    from benchbed.lm.attention import Head, pattern_model

    model = pattern_model(neox(tmp_path / "model"), CPU, questions)
    own = heads._Asker.patterns
    chosen: Head = (1, 2)

    def patterns(self, which):
        found = own(self, which)
        if which is late:
            found[chosen] = [torch.eye(batch.shape[-1]).expand_as(batch) for batch in found[chosen]]
        return found

    late = pattern_model(neox(tmp_path / "model"), CPU, questions)
    monkeypatch.setattr(heads._Asker, "patterns", patterns)
    found = heads.head_effects(("a", model), ("b", late), None, questions, 3, lambda done, of: None)
    moved = {one.heads[0]: abs(one.rise) for one in found.alone}
    assert max(moved, key=lambda head: moved[head]) == chosen
    assert all(rise < 1e-6 for head, rise in moved.items() if head != chosen)
    assert moved[chosen] > 1e-5
    assert found.everything.rise == pytest.approx(moved[chosen] * (1 if found.everything.rise > 0 else -1), rel=1e-3)
    assert [len(one.heads) for one in found.together] == [1, 2, 3]
    assert found.other_seed == []


def test_a_model_that_reads_later_tokens_is_refused(tmp_path, questions):
    from transformers import BertConfig, BertLMHeadModel

    from benchbed.errors import LanguageModelError
    from benchbed.lm.loading import load_model
    from benchbed.lm.scoring import refuse_later_tokens

    sizes: Any = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertLMHeadModel(BertConfig(vocab_size=120, **sizes)).save_pretrained(tmp_path / "bert")
    model = load_model(tmp_path / "bert", CPU)
    with pytest.raises(LanguageModelError, match="bert: expected a causal language model, found one"):
        refuse_later_tokens(model, questions, "bert")
    refuse_later_tokens(load_model(neox(tmp_path / "neox"), CPU), questions, "neox")


def test_weights_that_are_missing_are_not_drawn_at_random(tmp_path):
    from safetensors.torch import load_file, save_file

    from benchbed.lm.loading import UnreadableError, load_model

    folder = neox(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights.pop("gpt_neox.layers.1.attention.dense.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnreadableError, match=r"found 1 missing: gpt_neox\.layers\.1\.attention"):
        load_model(folder, CPU)
    (folder / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(UnreadableError, match="expected a causal language model, found"):
        load_model(folder, CPU)


def test_scores_are_what_the_logits_say(models, questions):
    from benchbed.lm.loading import load_model
    from benchbed.lm.scoring import score

    model = load_model(models / "tiny-seed0" / "step40", CPU)
    found = score(model, questions)
    rows = []
    for one in questions.asked:  # one at a time, and in plain Python
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([one.tokens])).logits[0, -1].double()
        shares = (logits - logits.logsumexp(0)).exp().tolist()
        likely = shares[one.target]
        rows.append([likely > max(shares[i] for i in one.others), likely == max(shares), likely])
    expected = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    assert [found.accuracy, found.greedy, found.probability] == pytest.approx(expected, rel=1e-4)


def test_the_commands_together(models, command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(models, "models")
    given = ("lm", "emergence", "models", "--prompts", 20, "--threshold", "0.01", "--device", "cpu")
    code, out, err = command_line(*given, "--json")
    assert code == 0, err
    shown = json.loads(out)
    assert {one["capability"] for one in shown["groups"]} == {
        "copying",
        "indirect_object",
        "pattern_completion",
        "repetition",
    }
    assert {(one["group"], one["seeds"]) for one in shown["groups"]} == {("tiny", 2)}
    assert len(shown["rows"]) == 2 * 5 * 4
    assert yaml.safe_load(Path("lm/emergence.yaml").read_text())["groups"] == shown["groups"]
    assert Path("lm/emergence.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = command_line(*given, "--csv")
    assert [row["step"] for row in csv.DictReader(io.StringIO(out))] == [str(row["step"]) for row in shown["rows"]]

    # A checkpoint that is missing is said to be; one that was trained again is scored again; a copy is refused.
    scores = {path: path.stat().st_mtime_ns for path in Path("lm/scores").iterdir()}
    shutil.rmtree("models/tiny-seed1/step20")
    code, out, err = command_line(*given)
    assert code == 0, err
    assert "models/tiny-seed1 lacks 1 checkpoints that others have: 20" in " ".join((out + err).split())
    assert scores == {path: path.stat().st_mtime_ns for path in Path("lm/scores").iterdir()}, "nothing is asked twice"
    shutil.rmtree("models/tiny-seed1/step30")
    shutil.copytree("models/tiny-seed1/step40", "models/tiny-seed1/step30")
    code, out, err = command_line(*given)
    assert "step40 is left out: its weights are those of step30" in " ".join((out + err).split())
    shutil.rmtree("models/tiny-seed1/step30")
    shutil.copytree("models/tiny-seed0/step30", "models/tiny-seed1/step30")
    code, _, err = command_line(*given)
    assert (code, "one model under two names would count twice" in err) == (2, True)

    patch = ("lm", "heads", "models/tiny-seed0/step10", "models/tiny-seed0/step40", "-c", "copying", "--prompts", 20)
    code, out, err = command_line(*patch, "--other", "models/tiny-seed1/step40", "--together", 2, "--json")
    assert code == 0, err
    shown = json.loads(out)
    assert (len(shown["alone"]), len(shown["together"]), len(shown["other_seed"])) == (4, 2, 2)
    assert list(Path("lm").glob("copying-*.png"))
    code, out, err = command_line(*patch)
    assert (code, "one later pattern in the earlier model" in out) == (0, True)


def test_training_by_the_command(command_line, tmp_path):
    code, out, err = command_line("lm", "train", "--seeds", 2, "--out", tmp_path / "models", *SMALL)
    assert code == 0, err
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["tiny-seed0", "tiny-seed1"]
    assert f"benchbed lm emergence {tmp_path / 'models'}" in " ".join((out + err).split()).replace("- ", "-")
    code, _, err = command_line("lm", "train", "--out", tmp_path / "models", *SMALL, "--learning-rate", 0.1)
    assert (code, "expected the model that was begun there, found learning_rate 0.003, not 0.1" in err) == (2, True)


def test_workers_end_with_the_command_that_was_killed(tmp_path):
    command = [sys.executable, "-m", "benchbed", "lm", "train", "--seeds", "1", "--steps", "100000", "--every", "10"]
    process = subprocess.Popen([*command, "--dim", "16"], cwd=tmp_path, stderr=subprocess.DEVNULL)

    def kept():
        return len(list(tmp_path.glob("lm/models/tiny-seed0/step*")))

    deadline = time.monotonic() + 120
    while kept() < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert kept() >= 2
    process.kill()
    process.wait()
    time.sleep(3)
    before = kept()
    time.sleep(3)
    assert kept() == before, "nobody trains on"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere/at/all"], "expected a folder, or organisation/model on the hub, found neither"),
        (["."], "expected folders step<N> of checkpoints, or models that have them, found none"),
        (["models", "models/tiny-seed0"], "expected every model once, found models/tiny-seed0 again"),
        (["models", "-c", "copyin"], "did you mean 'copying'?"),
        (["models", "--option", "copying.word=3"], "unknown option 'word'"),
        (["models", "--option", "words=3"], "before the dot"),
        (["models", "-c", "copying", "--option", "copying.words=32", "--prompts", "1"], "prompts"),
    ],
)
def test_bad_input_is_one_line(models, command_line, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("models").symlink_to(models)
    code, _, err = command_line("lm", "emergence", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hugging Face hub as is asked for: branches, files of a commit, and their contents."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def log_message(self, format, *args):
        self.server.asked.append(self.path)

    def answer(self, body):
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api" and parts[-1] == "refs" and self.model(parts[3]).is_dir():
            steps = sorted(self.model(parts[3]).glob("step*"))
            branches = [
                {"name": path.name, "ref": f"refs/heads/{path.name}", "targetCommit": commit(path)} for path in steps
            ]
            branches.append({"name": "main", "ref": "refs/heads/main", "targetCommit": "f" * 40})
            return self.send({"branches": branches, "tags": [], "converts": [], "pullRequests": []}, body)
        if parts[0] == "api" and "revision" in parts:
            files = [{"rfilename": path.name} for path in sorted(COMMITS[parts[5]].iterdir())]
            about = {"id": "/".join(parts[2:4]), "modelId": "/".join(parts[2:4]), "sha": parts[5], "siblings": files}
            return self.send({**about, "tags": [], "private": False, "downloads": 0, "likes": 0}, body)
        if "tree" in parts:
            files = [
                {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": commit(path)}
                for path in sorted(COMMITS[parts[5]].iterdir())
            ]
            return self.send(files, body)
        if "resolve" in parts:
            path = COMMITS[parts[3]] / parts[4]
            if path.is_file():
                headers = {"X-Repo-Commit": parts[3], "ETag": f'"{commit(path)}"'}
                return self.send(path.read_bytes(), body, headers)
        return self.send({"error": "not found"}, body, {"X-Error-Code": "RepoNotFound"}, code=404)

    def model(self, name):
        return self.server.root / name

    def send(self, data, body, headers=None, code=200):
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(code)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


COMMITS: dict[str, Path] = {}


def commit(folder: Path) -> str:
    """A name of forty digits, under which the folder is found again."""
    name = hashlib.sha1(str(folder).encode()).hexdigest()
    COMMITS[name] = folder
    return name


TERMINAL = """
import contextlib, io, json, sys
from benchbed.cli.app import main
for line in sys.stdin:
    sys.argv, out, err, code = json.loads(line), io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@pytest.fixture
def hub(models):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.root, server.asked = models, []  # pyright: ignore[reportAttributeAccessIssue]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_the_hub_is_an_address(hub, models, tmp_path):
    """The command that reads Pythia, at another address: ranges, one checkpoint on disk at a time, and going on."""
    address = f"http://127.0.0.1:{hub.server_address[1]}"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "HF_ENDPOINT": address, "TMPDIR": str(temporary), "HF_HOME": str(tmp_path / "home")}
    environment["HF_HUB_DISABLE_XET"] = "1"

    # One process for all commands: most of each was the import of what reads models.
    terminal = subprocess.Popen(
        [sys.executable, "-c", TERMINAL], cwd=tmp_path, env=environment, stdin=-1, stdout=-1, text=True
    )

    def call(*arguments):
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        print(json.dumps(["benchbed", "lm", *map(str, arguments)]), file=terminal.stdin, flush=True)
        code, out, err = json.loads(terminal.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, out, err)

    asked = ("emergence", "org/tiny-seed0..1", "-c", "copying", "--prompts", 10, "--device", "cpu", "--json")
    most = []
    watching = threading.Event()

    def watch():
        while not watching.is_set():
            most.append(len(list(temporary.glob("benchbed-lm-*"))))
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    process = call(*asked)
    watching.set()
    thread.join()
    assert process.returncode == 0, process.stderr
    shown = json.loads(process.stdout)
    (group,) = shown["groups"]
    assert (group["group"], group["seeds"]) == ("org/tiny", 2)
    assert max(most) == 1
    assert not list(temporary.glob("benchbed-lm-*")), "nothing is left on the disk"

    local = call("emergence", models, "-c", "copying", "--prompts", 10, "--device", "cpu", "--json", "--out", "local")
    told = json.loads(local.stdout)
    mine, theirs = (
        [[row[key] for key in ("seed", "step", "accuracy", "loss")] for row in data["rows"]] for data in (shown, told)
    )
    assert mine == theirs

    hub.asked.clear()
    assert call(*asked).returncode == 0
    assert not [path for path in hub.asked if "resolve" in path], "what was scored is not fetched again"
    heads = call(
        "heads", "org/tiny-seed0@step10", "org/tiny-seed0@step40", "-c", "copying", "--prompts", 10, "--json"
    )
    assert heads.returncode == 0, heads.stderr
    assert json.loads(heads.stdout)["early"] == "org/tiny-seed0@step10"

    for name, message in {
        "org/nobody": "expected it on the hub, found",
        "org/tiny-seed0@step11": "expected one of its 5 revisions step<N>, found step11",
    }.items():
        process = call("heads", name if "@" in name else f"{name}@step1", "org/tiny-seed0@step40", "-c", "copying")
        assert (process.returncode, message in process.stderr) == (2, True), process.stderr
    terminal.communicate()
    hub.shutdown()
    hub.server_close()
    # Another process, which knows nothing of the hub yet.
    again = ["lm", "emergence", "org/tiny-seed0", "-c", "copying", "--device", "cpu"]
    command = [sys.executable, "-m", "benchbed", *again]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert process.returncode == 2
    assert "the same command goes on" in process.stderr
    assert process.stderr.count("\n") == 1
