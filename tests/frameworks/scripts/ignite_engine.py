"""pytorch-ignite: a supervised trainer, an evaluator run after each epoch, a scheduler as a handler."""

import torch
from digest import report
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Loss
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    criterion = nn.MSELoss()
    x = torch.randn(8, 6)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4)
    validation = DataLoader(TensorDataset(x[:4], x[:4].sum(1, keepdim=True)), batch_size=4)
    trainer = create_supervised_trainer(model, optimizer, criterion)
    evaluator = create_supervised_evaluator(model, metrics={"loss": Loss(criterion)})

    @trainer.on(Events.ITERATION_COMPLETED)
    def tell(engine):
        print("loss", engine.state.iteration, engine.state.output)

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate(engine):
        evaluator.run(validation)
        print("validation", evaluator.state.metrics["loss"])
        scheduler.step()

    trainer.run(loader, max_epochs=2)
    report(model, optimizer)


if __name__ == "__main__":
    main()
