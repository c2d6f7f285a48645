"""The contract of a data module under the real Trainer: what is trained, and where a resumed run goes on."""

import pickle
from collections.abc import Sequence

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from stylekit.batch import StyleBatch
from stylekit.datamodule import StyleDataModule

# Its checkpoints come from a Trainer that saved them; the resumed one saves nothing.
pytestmark = pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")


def batch(number, seed):
    ids = torch.tensor([number, seed % 1000])
    return StyleBatch(torch.full((2, 3, 2, 2), number / 100), ids, ids, ["a", "b"], ["c", "d"])


class Numbered:
    def __init__(self, seed):
        self.seed = seed

    def __call__(self, position, rank, world_size):
        return batch(position, self.seed)


class Counting(Sequence):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index >= 3:
            raise IndexError
        return batch(index, 0)


class NumberedData(StyleDataModule):
    order = "a"

    def train_batches(self, seed):
        return Numbered(seed)

    def val_batches(self):
        return Counting()

    def held_out(self, split):
        return iter(Counting())

    def order_digest(self):
        return self.order

    def digest(self):
        return "digest"

    def summary(self):
        return {}

    def examine(self):
        return iter(())


class Recorder(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.seen, self.validated = [], []

    def training_step(self, batch):
        self.seen.append(int(batch.style_ids[0]))
        return self.layer(batch.images.mean((2, 3))).square().mean()

    def validation_step(self, batch):
        self.validated.append(int(batch.style_ids[0]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def fit(data, max_steps, folder, checkpoint=None, every=None, **options):
    torch.manual_seed(0)
    method = Recorder()
    saving = [ModelCheckpoint(folder, "{step}", every_n_train_steps=every, save_top_k=-1)] if every else []
    trainer = Trainer(
        accelerator="cpu",
        max_steps=max_steps,
        max_epochs=-1,
        logger=False,
        callbacks=saving,
        enable_checkpointing=bool(saving),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **({"limit_val_batches": 0} | options),
    )
    trainer.fit(method, datamodule=data, ckpt_path=checkpoint)
    return method, trainer


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_resumed_run_goes_on_with_the_next_batch(tmp_path, num_workers, accumulate):
    options = {"accumulate_grad_batches": accumulate}
    whole, _ = fit(NumberedData(0, num_workers), 12, tmp_path, **options)
    first, trainer = fit(NumberedData(0, num_workers), 5, tmp_path, every=5, **options)
    data = NumberedData(0, num_workers)
    second, _ = fit(data, 12, tmp_path, tmp_path / "step=5.ckpt", **options)
    assert whole.seen == list(range(12 * accumulate))
    assert first.seen + second.seen == whole.seen
    assert trainer.datamodule.position == 5 * accumulate
    assert data.position == 12 * accumulate
    for resumed, expected in zip(second.parameters(), whole.parameters(), strict=True):
        assert torch.equal(resumed, expected)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_resume_in_the_middle_of_an_epoch_with_validation(tmp_path, num_workers):
    options = {"limit_val_batches": 1.0, "val_check_interval": 2, "check_val_every_n_epoch": None}
    first, _ = fit(NumberedData(0, num_workers), 7, tmp_path, every=4, **options)
    second, _ = fit(NumberedData(0, num_workers), 12, tmp_path, tmp_path / "step=4.ckpt", **options)
    assert first.seen == list(range(7))
    assert second.seen == list(range(4, 12))
    assert first.validated == [0, 1, 2] * 3


@pytest.mark.parametrize("num_workers", [0, 2])
def test_epochs_of_limited_length_go_on_and_do_not_start_over(tmp_path, num_workers):
    method, _ = fit(NumberedData(0, num_workers), 12, tmp_path, limit_train_batches=5)
    assert method.seen == list(range(12))


def test_checkpoint_says_how_many_batches_were_trained_on(tmp_path):
    fit(NumberedData(0, 2), 6, tmp_path, every=2)
    positions = [
        torch.load(tmp_path / f"step={step}.ckpt", weights_only=True)["NumberedData"]["position"]
        for step in (2, 4, 6)
    ]
    assert positions == [2, 4, 6]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_making_loaders_leaves_the_global_generator_alone(num_workers):
    data = NumberedData(0, num_workers)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train, val = iter(data.train_dataloader()), iter(data.val_dataloader())
    next(train), next(val)
    assert torch.equal(torch.rand(3), expected)


def test_stage_starts_at_batch_0_of_its_own_order(tmp_path):
    data = NumberedData(0, 0)
    data.start_stage("one")
    first, _ = fit(data, 3, tmp_path)
    assert data.position == 3
    seed_one = data.train_dataloader().dataset._batches.seed
    data.start_stage("two")
    assert data.position == 0
    second, _ = fit(data, 2, tmp_path)
    assert (first.seen, second.seen) == ([0, 1, 2], [0, 1])
    assert data.train_dataloader().dataset._batches.seed != seed_one


def test_second_trainer_without_a_new_stage_goes_on(tmp_path):
    data = NumberedData(0, 0)
    data.load_state_dict({"position": 7, "stage": "", "order": "0/a"})
    method, _ = fit(data, 3, tmp_path)
    assert method.seen == [7, 8, 9]
    assert data.state_dict()["position"] == 10


def test_changed_data_is_said_on_resume():
    data = NumberedData(0, 0)
    data.load_state_dict({"position": 7, "stage": "", "order": "0/another"})
    with pytest.warns(UserWarning, match="another order"):
        data.train_dataloader()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_validation_batches_come_once_and_in_order(num_workers):
    seen = [int(batch.style_ids[0]) for batch in NumberedData(0, num_workers).val_dataloader()]
    assert seen == [0, 1, 2]


def test_spawned_workers_get_the_position_and_not_the_data_module():
    data = NumberedData(0, 2)
    data.load_state_dict({"position": 4, "stage": "", "order": "0/a"})
    pickled = pickle.dumps(data.train_dataloader().dataset)
    assert int(next(iter(pickle.loads(pickled))).style_ids[0]) == 4
    assert b"NumberedData" not in pickled
