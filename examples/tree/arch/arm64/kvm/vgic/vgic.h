/* SPDX-License-Identifier: MIT */
#ifndef __KVM_ARM_VGIC_H
#define __KVM_ARM_VGIC_H

void vgic_put_irq(struct kvm *kvm, struct vgic_irq *irq);
bool vgic_has_its(struct kvm *kvm);

#endif
