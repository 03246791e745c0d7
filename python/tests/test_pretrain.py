"""The pre-training program, on stand-in scenes; needs PyTorch, which the client does not."""

import copy
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REASON = "pre-training needs more: pip install -r python/pretrain/requirements.txt"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("diffusers", reason=REASON)
drawing = pytest.importorskip("PIL.Image", reason=REASON)
pytest.importorskip("transformers", reason=REASON)

from pretrain import (  # noqa: E402
    autoencoder, checkpoint, config, data, diffusion, evaluate, evaluators, models, optimizers,
    parallel, pools, run, sampling, vocabulary,
)  # fmt: skip

SMALL = Path(config.__file__).parent / "small.toml"
CATEGORIES = ["airplane", "banana", "cat", "tree"]


class FakeSource:
    """Numbered batches of coloured squares, one colour a category; counts what is read."""

    def __init__(self, batch_size=16, size=64):
        self.batch_size, self.size = batch_size, size
        self.read = []

    def batch(self, number):
        self.read.append(number)
        random = np.random.default_rng(number)
        count, size = self.batch_size, self.size
        image = random.integers(0, 256, (count, 3, size, size), dtype=np.uint8)
        labels = np.zeros((count, size, size), np.uint16)
        category = (np.arange(count) % len(CATEGORIES)).astype(np.int16)
        for row in range(count):
            labels[row, 8:40, 8:40] = 1 + category[row]
            image[row, :, 8:40, 8:40] = 60 * category[row] + 20
        prompts = [sampling.prompt_for([CATEGORIES[c]], "at night") for c in category]
        return data.Scenes(image, labels, category, np.zeros(count, np.uint8), prompts)


@pytest.fixture
def settings():
    """The smoke test's configuration."""
    torch.set_num_threads(1)
    return config.load(SMALL)


@pytest.fixture
def group(tmp_path):
    """A group of one process."""
    return parallel.Group(0, 1, tmp_path / "meeting")


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer for four categories."""
    vocabulary.write(tmp_path / "tokenizer", CATEGORIES, 32)
    return vocabulary.read(tmp_path / "tokenizer")


def autoencoder_stage(settings, group):
    held_out = FakeSource().batch(99)
    return autoencoder.AutoencoderStage(settings, FakeSource(), held_out, group, "cpu")


def diffusion_stage(settings, group, tokenizer):
    torch.manual_seed(5)
    vae = models.autoencoder(settings.model, 64)
    return diffusion.DiffusionStage(
        settings, CATEGORIES, tokenizer, vae, FakeSource(), FakeSource().batch(99), group, "cpu"
    )


def frozen(stage, tmp_path):
    """A stage's state as it comes back from a file."""
    checkpoint.save(tmp_path, {"state": stage.state()})
    return checkpoint.load(tmp_path, "cpu")["state"]


# Configuration


def test_both_shipped_configurations_are_read():
    stickers = config.load(SMALL.parent / "stickers.toml")
    assert stickers.data.categories == ["all"]
    assert stickers.data.weights["swan"] == 3
    assert config.load(SMALL.parent / "stickers.toml", "cuda").machine.compile
    assert not config.load(SMALL).machine.compile


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("seed = 1\n\n[data]", "seed = 1\nsede = 2\n\n[data]", "unknown key 'sede'"),
        ("text_heads = 2\n", "", "'text_heads' is missing"),
        ("steps = 24", 'steps = "24"', "expected int"),
        ("pool_scenes = 64", "pool_scenes = 65", "a multiple of data.stream_batch"),
        ("[false, true, true]", "[false, false, true]", "two levels need it"),
        ("until_step = 24", "until_step = 23", "the last ends before the steps do"),
        ("[model]", "[data.weights]\ncat = 0\n[model]", "data.weights: positive numbers"),
        ("[model]", '[data.weights]\ncat = "x"\n[model]', "data: weights.cat: expected float"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(tmp_path, before, after, message):
    text = SMALL.read_text()
    assert before in text
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace(before, after))
    with pytest.raises(config.ConfigError, match=message.replace("(", r"\(")):
        config.load(path)


def test_the_phase_follows_the_step(settings):
    assert settings.phase(0).latent_side == 8
    assert settings.phase(11).latent_side == 8
    assert settings.phase(12).latent_side == 16
    assert settings.phase(10_000).latent_side == 16


# Vocabulary


def test_every_category_word_and_its_plural_is_one_token(tokenizer):
    for word in [*CATEGORIES, "airplanes", "photograph", "background"]:
        assert len(tokenizer(word)["input_ids"]) == 3, word


@pytest.mark.parametrize("text", ["zyzzyva 42!", "naïve café", "猫が好き", "🦄 & co.", "x" * 60])
def test_any_text_is_encoded_without_unknown_tokens(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    inner = ids[1:-1]
    assert inner and tokenizer.eos_token_id not in inner
    symbols = "".join(tokenizer.convert_ids_to_tokens(inner)).replace("</w>", "")
    table = dict(zip(vocabulary.byte_symbols(), byte_order()))
    decoded = bytes(table[symbol] for symbol in symbols).decode("utf-8")
    assert decoded == text.lower().replace(" ", "")


def byte_order():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return plain + [byte for byte in range(256) if byte not in plain]


def test_the_same_categories_give_the_same_files(tmp_path):
    for name in ("a", "b"):
        vocabulary.write(tmp_path / name, reversed(CATEGORIES), 32)
    for file in ("vocab.json", "merges.txt"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


# Scenes


@pytest.mark.parametrize(
    ("prompt", "labels", "kind"),
    [
        ("a photograph of a cat at night", [0, 1], data.ONE_OBJECT),
        ("a photograph of a cat at night", [0, 1, 65535], data.ONE_OBJECT),
        ("a photograph of a cat and a dog at night", [0, 1, 2], data.TWO_CATEGORIES),
        ("a photograph of two cats at night", [0, 1], data.OTHER),
        ("a photograph of a cat and two dogs at night", [0, 1, 2], data.OTHER),
        ("a photograph of a cat, a dog and a bus at night", [0, 1, 2, 3], data.OTHER),
    ],
)
def test_the_kind_of_a_scene_follows_its_caption_and_labels(prompt, labels, kind):
    assert data.kind_of(prompt, np.array([labels], np.uint16)) == kind


def test_captions_are_written_as_the_scenes_engine_writes_them():
    assert sampling.prompt_for(["owl"], "at night") == "a photograph of an owl at night"
    assert sampling.prompt_for(["unicorn"], "x") == "a photograph of a unicorn x"
    assert sampling.prompt_for(["scissors", "bread"], "x") == (
        "a photograph of a pair of scissors and some bread x"
    )
    prompt = "a photograph of a potted plant at night"
    wrong = diffusion.wrong_caption(prompt, "potted plant", "owl")
    assert wrong == "a photograph of an owl at night"


# Pools


def test_a_pool_is_a_function_of_its_frontier():
    def pool():
        return pools.Pool(FakeSource(), 3, 16, lambda s: {"image": torch.from_numpy(s.image)})

    walked, jumped = pool(), pool()
    walked.fill()
    for _ in range(4):
        walked.advance()
    jumped.fill(7)
    assert walked.frontier == jumped.frontier == 7
    assert torch.equal(walked.tensors["image"], jumped.tensors["image"])
    walked.advance()
    assert not torch.equal(walked.tensors["image"], jumped.tensors["image"])
    walked.close()
    jumped.close()


# Optimisers


def test_muon_steps_are_nearly_orthogonal():
    torch.manual_seed(0)
    for shape in ((8, 20), (20, 8)):
        values = torch.linalg.svdvals(optimizers.orthogonalized(torch.randn(shape)))
        assert values.min() > 0.6 and values.max() < 1.3


def test_the_rate_rises_stays_and_falls_to_nothing():
    rates = [optimizers.rate_factor(step, 100, 10, 0.3) for step in (0, 9, 50, 85, 99, 100)]
    assert rates == pytest.approx([0.1, 1, 1, 0.5, 1 / 30, 0])


# Stages


@pytest.mark.parametrize("kind", ["autoencoder", "diffusion"])
def test_a_resumed_stage_goes_on_with_the_same_bytes(kind, settings, group, tokenizer, tmp_path):
    def stage():
        if kind == "autoencoder":
            return autoencoder_stage(settings, group)
        return diffusion_stage(settings, group, tokenizer)

    whole = stage()
    whole.begin()
    losses = [float(whole.advance(0)[0]) for _ in range(4)]
    saved = frozen(whole, tmp_path)
    losses += [float(whole.advance(0)[0]) for _ in range(10)]
    again = stage()
    again.load(saved)
    assert again.step == 4
    resumed = [float(again.advance(0)[0]) for _ in range(10)]
    assert resumed == losses[4:]
    assert len(set(losses)) == len(losses)
    ours, theirs = again.state(), whole.state()
    assert ours["frontier"] == theirs["frontier"] > 4
    for mine, other in zip(flat(ours), flat(theirs), strict=True):
        assert torch.equal(mine, other)
    whole.close()
    again.close()


def flat(value):
    """All tensors in a state, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for entry in value for tensor in flat(entry)]
    return []


def test_the_autoencoder_learns(settings, group):
    stage = autoencoder_stage(settings, group)
    stage.begin()
    first = float(stage.advance(0)[0])
    for _ in range(15):
        last = float(stage.advance(0)[0])
    assert last < 0.8 * first
    stage.close()


def test_normalised_latents_decode_to_the_same_image(settings, group):
    torch.manual_seed(3)
    vae = models.autoencoder(settings.model, 64).eval()
    image = torch.from_numpy(FakeSource().batch(1).image)
    before = autoencoder.encode(vae, image)
    with torch.no_grad():
        pixels = vae.decode(before).sample
        changed = copy.deepcopy(vae)
        autoencoder.normalize(changed, before)
        after = autoencoder.encode(changed, image)
        again = changed.decode(after).sample
    assert torch.allclose(after.mean((0, 2, 3)), torch.zeros(4), atol=1e-4)
    assert torch.allclose(after.std((0, 2, 3)), torch.ones(4), atol=1e-4)
    assert torch.allclose(pixels, again, atol=1e-4)
    assert not torch.allclose(before, after, atol=1e-2)


def test_the_loss_weighs_the_middle_more_and_the_mean_is_one():
    weight = diffusion.center_weight(16, 3.0)
    assert weight.shape == (16, 16)
    assert float(weight.mean()) == pytest.approx(1)
    assert float(weight[7, 7] / weight[0, 0]) > 2.5
    assert torch.equal(weight, weight.flip(0)) and torch.equal(weight, weight.T)
    assert torch.equal(diffusion.center_weight(8, 1.0), torch.ones(8, 8))


def test_only_kinds_with_a_share_are_drawn(settings, group, tokenizer):
    stage = diffusion_stage(settings, group, tokenizer)
    stage.begin()
    kinds = stage._pool.tensors["kind"]
    kinds[::2] = data.TWO_CATEGORIES
    assert (kinds[stage._draw([0.0, 1.0, 0.0])] == data.TWO_CATEGORIES).all()
    stage._rows = (-1, torch.empty(0), torch.empty(0))
    assert (kinds[stage._draw([1.0, 0.0, 5.0])] == data.ONE_OBJECT).all()
    stage.close()


# Checkpoints


def test_a_checkpoint_is_replaced_whole_and_the_last_one_kept(tmp_path):
    for step in (1, 2):
        checkpoint.save(tmp_path, {"state": {"step": step}})
    assert checkpoint.load(tmp_path, "cpu")["state"]["step"] == 2
    previous = torch.load(tmp_path / "checkpoint-previous.pt", weights_only=True)
    assert previous["state"]["step"] == 1
    assert checkpoint.load(tmp_path / "nowhere", "cpu") is None


def test_a_slim_checkpoint_begins_another_run(settings, group, tokenizer, tmp_path):
    stage = diffusion_stage(settings, group, tokenizer)
    stage.begin()
    for _ in range(3):
        stage.advance(0)
    content = {"config": settings.to_dict(), "categories": CATEGORIES, "stage": "diffusion"}
    vae = stage.vae.state_dict()
    (tmp_path / "run").mkdir()
    checkpoint.save(tmp_path / "run", {**content, "vae": vae, "state": stage.state(), "token": {}})
    size = run.slim(tmp_path / "run", tmp_path / "slim")
    assert size < (tmp_path / "run" / "checkpoint.pt").stat().st_size / 2
    other = diffusion_stage(settings, group, tokenizer)
    start = checkpoint.load(tmp_path / "slim", "cpu")
    other.begin_from(start["state"])
    assert other.step == 0
    for mine, average in zip(
        [p for m in other._modules for p in m.parameters()], stage._average.values, strict=True
    ):
        assert torch.allclose(mine, average, atol=1e-3)
    with pytest.raises(checkpoint.CheckpointError, match="no checkpoint of text encoder"):
        run.export_checkpoint(tmp_path / "nowhere", tmp_path / "model")
    stage.close()
    other.close()


def test_another_version_and_another_model_are_refused(tmp_path, settings):
    torch.save({"version": 99}, tmp_path / "checkpoint.pt")
    with pytest.raises(checkpoint.CheckpointError, match="version 99"):
        checkpoint.load(tmp_path, "cpu")
    wider = dataclasses.replace(settings.model, text_width=64)
    other = dataclasses.replace(settings, model=wider).to_dict()
    with pytest.raises(checkpoint.CheckpointError, match="text_width = 32, the file says 64"):
        checkpoint.check_same_model(settings.to_dict(), other, tmp_path)
    longer = dataclasses.replace(settings.diffusion, steps=99)
    other = dataclasses.replace(settings, diffusion=longer).to_dict()
    assert checkpoint.check_same_model(settings.to_dict(), other, tmp_path) == [
        "diffusion.steps: 24 -> 99"
    ]


# The directory


def test_the_directory_draws_in_diffusers_and_says_what_it_is(settings, group, tokenizer, tmp_path):
    stage = diffusion_stage(settings, group, tokenizer)
    parts = stage.parts()
    folder = tmp_path / "model"
    size = models.export(
        folder, parts.vae, parts.text, parts.unet, tmp_path / "tokenizer", tokenizer,
        settings.model, CATEGORIES,
    )  # fmt: skip
    count = models.parameter_count(parts.vae, parts.text, parts.unet)
    assert 2 * count < size < 2 * count + 100_000
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert (folder / "categories.txt").read_text().split() == CATEGORIES
    again = sampling.Parts.load(folder)
    assert again.scheduler.config.prediction_type == "v_prediction"
    assert (folder / "tokenizer" / "merges.txt").is_file()
    prompts = ["a photograph of a cat", "a photograph of a tree"]
    image = again.images(prompts, 1, 2, 3.0)
    assert image.shape == (2, 3, 64, 64) and image.dtype == torch.uint8
    # An image depends on its own seed and prompt, not on its neighbours.
    alone = again.images(prompts[1:], 2, 2, 3.0)
    assert (image[1].int() - alone[0].int()).abs().max() <= 1
    assert not torch.equal(image[0], image[1])
    stage.close()


def test_a_model_that_is_too_large_to_ship_is_refused(settings, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "MAXIMUM_PARAMETERS", 1000)
    vae = models.autoencoder(settings.model, 64)
    with pytest.raises(ValueError, match="at most 1000 may be shipped"):
        models.export(
            tmp_path / "m", vae, models.text_encoder(settings.model, tokenizer),
            models.unet(settings), tmp_path / "tokenizer", tokenizer, settings.model, CATEGORIES,
        )  # fmt: skip
    assert not (tmp_path / "m").exists()


def test_a_compiled_graph_that_loses_gradients_is_refused(settings, group, tokenizer):
    stage = diffusion_stage(settings, group, tokenizer)
    stage.begin()
    plain = stage._predict
    stage._forward = lambda *arguments: plain(*arguments)
    stage.advance(0)
    assert stage.step == 1

    def without_text(noisy, timestep, ids):
        with torch.no_grad():
            states = stage.text(ids).last_hidden_state
        return stage.unet(noisy, timestep, states, return_dict=False)[0]

    stage._forward, stage._checked_side = without_text, 0
    with pytest.raises(checkpoint.CheckpointError, match="is off by 1.00 of its size"):
        stage.advance(0)
    assert stage.step == 1
    stage.close()


def test_a_model_directory_begins_a_run(settings, group, tokenizer, tmp_path):
    stage = diffusion_stage(settings, group, tokenizer)
    stage.begin()
    stage.advance(0)
    parts, folder = stage.parts(), tmp_path / "model"
    models.export(
        folder, parts.vae, parts.text, parts.unet, tmp_path / "tokenizer", tokenizer,
        settings.model, CATEGORIES,
    )  # fmt: skip
    start = run._starting_weights(folder, "cpu")
    other = diffusion_stage(settings, group, tokenizer)
    other.begin_from(start["state"])
    for mine, average in zip(
        [p for m in other._modules for p in m.parameters()], stage._average.values, strict=True
    ):
        assert torch.allclose(mine, average, atol=1e-3)
    assert torch.allclose(start["vae"]["quant_conv.bias"], stage.vae.quant_conv.bias, atol=1e-3)
    with pytest.raises(checkpoint.CheckpointError, match="neither a checkpoint nor a model"):
        run._starting_weights(tmp_path, "cpu")
    stage.close()
    other.close()


def test_the_shipped_sizes_are_within_the_limits(tmp_path):
    stickers = config.load(SMALL.parent / "stickers.toml")
    vocabulary.write(tmp_path / "tokenizer", stickers.data.categories, 32)
    words = vocabulary.read(tmp_path / "tokenizer")
    with torch.device("meta"):
        parts = [
            models.autoencoder(stickers.model, 64),
            models.text_encoder(stickers.model, words),
            models.unet(stickers),
        ]
    assert models.latent_side(stickers) == 16
    assert 8_000_000 < models.parameter_count(*parts) < models.MAXIMUM_PARAMETERS


# Processes

RANK = """
import sys, torch
from pathlib import Path
from pretrain.parallel import Group
rank = int(sys.argv[1])
group = Group(rank, 2, Path(sys.argv[2]))
module = torch.nn.Linear(2, 1)
torch.nn.init.constant_(module.weight, rank)
group.broadcast([module])
module.weight.grad = torch.full((1, 2), 2.0 + 4 * rank)
module.bias.grad = torch.full((1,), 10.0 * rank)
wish = group.average(module.parameters(), wish=rank)
values = [*module.weight[0].tolist(), *module.weight.grad[0].tolist(), module.bias.grad.item()]
assert values == [0, 0, 4, 4, 5] and wish == 1, (values, wish)
assert group.gather(rank) == [0, 1]
group.close()
"""


def test_two_processes_average_gradients_and_agree_on_wishes(tmp_path):
    command = [sys.executable, "-c", RANK]
    folder = str(Path(config.__file__).parents[1])
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meeting")],
            env={**os.environ, "PYTHONPATH": folder},
        )
        for rank in range(2)
    ]
    assert [rank.wait(120) for rank in ranks] == [0, 0]


# Evaluation


def test_the_verdict_names_what_is_short():
    good = {name: bound for name, bound in evaluate.BOUNDS.items()}
    assert evaluate.verdict(good)[1]
    for name in good:
        lines, holds = evaluate.verdict({**good, name: good[name] - 0.01})
        assert not holds
        assert [line.endswith("SHORT") for line in lines].count(True) == 1


def test_presence_needs_a_hundredth_of_the_image():
    maps = torch.zeros(3, 32, 32, dtype=torch.long)
    maps[0, 0, :11] = 2
    maps[1, 0, :10] = 2
    maps[2, 0, :8], maps[2, 1, :8] = 1, 2
    assert evaluators.is_present(maps, 2).tolist() == [True, False, False]
    assert evaluators.is_any_present(maps).tolist() == [True, False, False]


def test_pairs_are_of_two_different_categories():
    names = [f"c{n}" for n in range(48)]
    samples = evaluate.two_object_samples(lambda seeds, prompts: seeds, names, 300)
    asked = samples.asked
    assert len(asked) == len(set(samples.image)) == 300
    assert all(a != b and 0 <= a < 48 and 0 <= b < 48 for a, b in asked)
    assert {a for a, _ in asked} == set(range(48))


FAKE_RUNTIME = """#!{python}
import json, pathlib, sys
from PIL import Image
command, *rest = sys.argv[1:]
given = dict(zip(rest[::2], rest[1::2])) if command == "sample" else {{}}
if command == "sample":
    for number, line in enumerate(open(given["--prompt-table"])):
        seed = line.split("\\t")[0]
        picture = Image.new("RGB", (64, 64), (number, int(given["--steps"]), 0))
        picture.save(pathlib.Path(given["--out"]) / (seed + ".png"))
elif len(rest) > 8:
    print(json.dumps({{"mean": Image.open(rest[5]).getpixel((1, 0))[2], "pictures": {{}}}}))
else:
    sys.exit("Error: no pictures")
"""


@pytest.fixture
def runtime(tmp_path):
    program = tmp_path / "groundwell-generator"
    program.write_text(FAKE_RUNTIME.format(python=sys.executable))
    program.chmod(0o755)
    return evaluate.Runtime(program, tmp_path / "model", tmp_path / "runtime", 1)


def test_another_runtime_draws_each_prompt_from_its_seed(runtime, tmp_path):
    samples = evaluate.one_object_samples(runtime.draw(7, 4.0), CATEGORIES, 2)
    assert samples.image.shape == (8, 3, 64, 64)
    assert samples.image[:, 0, 0, 0].tolist() == list(range(8))
    assert (samples.image[:, 1] == 7).all()
    lines = (tmp_path / "runtime" / "samples.tsv").read_text().splitlines()
    assert lines[0] == "10000\ta photograph of an airplane on the grass"
    assert [line.split("\t") for line in lines][7] == ["10007", samples.prompts[7]]


def test_another_runtime_is_asked_for_its_psnr_with_the_scenes_themselves(runtime):
    scenes = FakeSource().batch(1)
    assert runtime.psnr(scenes) == scenes.image[0, 2, 0, 1]


def test_what_another_runtime_complains_of_is_passed_on(runtime):
    scenes = FakeSource().batch(1)
    few = data.Scenes(
        scenes.image[:1], scenes.labels[:1], scenes.category[:1], scenes.kind[:1],
        scenes.prompts[:1],
    )  # fmt: skip
    with pytest.raises(OSError, match="autoencode: Error: no pictures"):
        runtime.psnr(few)


def test_the_judges_learn_what_is_plain_and_are_kept(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(evaluators, "_BATCH", 16)
    scenes = data.concatenated([FakeSource().batch(number) for number in range(6)])
    held_out = FakeSource().batch(50)
    arguments = (tmp_path / "judges.pt", CATEGORIES, lambda: scenes, lambda: held_out)
    judges = evaluators.train_or_load(*arguments, 50, "cpu", lambda text: None)
    assert judges.classifier_accuracy >= 0.9
    assert judges.segmenter_accuracy >= 0.9

    def never():
        raise AssertionError("read again")

    kept = evaluators.train_or_load(
        tmp_path / "judges.pt", CATEGORIES, never, never, 50, "cpu", lambda text: None
    )
    assert kept.segmenter_accuracy == judges.segmenter_accuracy
