"""Networks: a ``torch.nn.Module`` each; ``forward(infrared, visible, conditioning)`` gives the fused RGB picture."""
